"""The equity proof between snapshots: every kind of amount in its own term, and what no event explains left over."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import (
    Fact,
    InterestPaid,
    KeeperFeeCharged,
    Liquidated,
    ProofChecked,
    RecordReverted,
)
from gridkeeper_core.ledger.interval import IntervalProof, Snap, window_of
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.units import E6, E9
from support.account_history import Venue, adoption, booked_by, foreign_fill, proven, recorded
from support.ledger_story import (
    Story,
    filled,
    funding,
    opened,
    reverted,
    settled,
    snapshot,
    taken_back,
    transferred,
)


def keeper_fee(quote_e6: int, slot: int) -> KeeperFeeCharged:
    return KeeperFeeCharged(
        order_id=1, quote_e6=quote_e6, market_index=0, slot=slot, signature=f"keeper-{slot}", index=0
    )


def liquidated(base_e9: int, quote_e6: int, fee_e6: int, slot: int) -> Liquidated:
    return Liquidated(
        market="SOL-PERP",
        market_index=0,
        base_e9=base_e9,
        quote_e6=quote_e6,
        fee_e6=fee_e6,
        slot=slot,
        signature=f"liq-{slot}",
        index=0,
    )


def between(*facts: Fact, oracle: int = 100) -> list[Fact]:
    """The facts between a first snapshot (slot 0, oracle 100) and a last one."""
    venue = Venue()
    first = venue.snapshot(0, 100)
    for fact in facts:
        venue.apply(fact)
    return [first, *facts, venue.snapshot(99, oracle)]


def terms(proof: IntervalProof) -> dict[str, int]:
    return {term.name: term.quote_e6 for term in proof.terms if term.events}


def test_each_amount_has_a_term_of_its_own_and_nothing_is_left() -> None:
    proof = proven(
        recorded(
            between(
                funding(-3 * E6, 1),
                keeper_fee(-10_000, 2),
                InterestPaid(quote_e6=7, slot=3),
                transferred(50 * E6, 4),
                settled(2 * E6, 5),
                filled(6, "buy", 0, price=100, fee_e6=20_000),
                filled(7, "sell", 0, price=101, fee_e6=-5_000),
                foreign_fill(8, base_e9=E9, quote_e6=99 * E6, fee_e6=1_000),
                liquidated(-E9, 98 * E6, 500_000, 9),
                adoption(0, 11, 22, 10),
            )
        )
    )

    assert terms(proof) == {
        "inventory PnL": 1 * E6,
        "fees": -21_000,
        "rebates": 5_000,
        "funding": -3 * E6,
        "keeper fees": -10_000,
        "interest": 7,
        "liquidation": 98 * E6 - 500_000,
        "transfers": 50 * E6,
        "fills of no grid": -99 * E6,
        "adoption": 33,
        "settlement": 0,
    }
    assert proof.left_e6 == proof.right_e6
    assert proof.residual_e6 == 0


def test_the_part_of_a_fill_that_completes_turns_is_grid_profit_and_the_rest_inventory() -> None:
    story = Story(LedgerMachine())
    story.grid(opened())
    first = snapshot(0, 1_000 * E6)
    facts = [first, filled(1, "buy", 0, price=90), filled(2, "sell", 0, price=100), filled(3, "buy", 1, price=100)]
    facts.append(snapshot(99, 1_000 * E6, E9, -90 * E6, oracle=95))
    story.account(*facts)

    proof = proven(recorded(facts), booked_by(story))

    assert terms(proof) == {"grid profit": 10 * E6, "inventory PnL": -5 * E6}
    assert proof.residual_e6 == 0
    profit = proof.terms[0]
    assert [(of.signature, of.quote_e6) for of in profit.events] == [("sig-2", 10 * E6)]


def test_an_amount_without_an_event_is_the_residual() -> None:
    facts = between(transferred(50 * E6, 4), funding(3, 5))
    assert proven(recorded(facts[:1] + facts[2:])).residual_e6 == 50 * E6
    assert proven(recorded(facts[:2] + facts[3:])).residual_e6 == 3


def test_base_without_an_event_shows_at_the_oracle_price() -> None:
    facts = between(filled(1, "buy", 0, price=100), oracle=110)
    assert proven(recorded([facts[0], facts[2]])).residual_e6 == 10 * E6


def test_a_reverted_fill_is_taken_back_even_when_its_snapshot_lies_in_between() -> None:
    venue = Venue()
    facts: list[Fact] = [venue.snapshot(0, 100), filled(1, "buy", 0, price=100, fee_e6=5)]
    venue.apply(facts[-1])
    facts += [venue.snapshot(2, 104), reverted(1)]
    venue.apply(facts[-1])
    facts.append(venue.snapshot(3, 104))

    for first, last in ((0, 1), (1, 2), (0, 2)):
        assert proven(recorded(facts), first=first, last=last).residual_e6 == 0


def test_a_fill_that_was_final_is_taken_back_by_the_amounts_it_is_told_with_and_once() -> None:
    venue, bought = Venue(), filled(1, "buy", 0, price=100, fee_e6=5)
    facts: list[Fact] = [venue.snapshot(0, 100), bought]
    venue.apply(bought)
    facts.append(msgspec.structs.replace(venue.snapshot(2, 104), cursor_slot=2))
    facts += [taken_back(bought)] * 2
    venue.apply(facts[-1])
    facts.append(venue.snapshot(3, 104))

    for first, last in ((0, 1), (1, 2), (0, 2)):
        assert proven(recorded(facts), first=first, last=last).residual_e6 == 0


def test_other_records_a_fork_takes_back_are_taken_out_of_their_terms() -> None:
    venue = Venue()
    facts: list[Fact] = [venue.snapshot(0, 100)]
    lost = (funding(-7, 1), settled(3, 2), transferred(50, 3), foreign_fill(4, base_e9=E9, quote_e6=100 * E6))
    facts += [*lost, *(RecordReverted(signature=fact.signature, index=fact.index) for fact in lost)]
    kept = funding(11, 5)
    venue.apply(kept)
    facts += [kept, venue.snapshot(6, 105)]
    proof = proven(recorded(facts))
    assert proof.residual_e6 == 0
    assert {name: quote for name, quote in terms(proof).items() if quote} == {"funding": 11}


def test_what_the_walker_saw_after_the_slot_of_a_snapshot_is_not_in_it() -> None:
    venue = Venue()
    facts: list[Fact] = [venue.snapshot(0, 100)]
    late = transferred(9, 7)
    read_early = venue.snapshot(5, 100)
    venue.apply(late)
    facts += [late, read_early, venue.snapshot(8, 100)]

    assert proven(recorded(facts), first=0, last=1).residual_e6 == 0
    assert terms(proven(recorded(facts), first=1, last=2)) == terms(proven(recorded(facts))) | {"transfers": 9}


def test_the_same_record_twice_counts_once() -> None:
    facts = between(funding(3, 5))
    assert proven(recorded([facts[0], facts[1], facts[1], facts[2]])).residual_e6 == 0


def snap(number: int) -> Snap:
    return Snap(id=number, event=f"account:main@{number}", ts_ns=number * 100, fact=snapshot(number, 0))


def test_an_interval_is_snapped_to_the_snapshots_at_or_before_its_ends() -> None:
    snaps = [snap(number) for number in range(1, 6)]
    window = window_of(snaps, 250, 499)
    assert (window.baseline.id, window.first.id, window.last.id) == (1, 2, 4)
    assert (window_of(snaps, None, None).first.id, window_of(snaps, 0, None).last.id) == (1, 5)


@pytest.mark.parametrize(("first", "last"), [(300, 350), (400, 300)])
def test_an_interval_within_one_snapshot_is_refused(first: int, last: int) -> None:
    with pytest.raises(GridkeeperError, match="snapshot"):
        window_of([snap(number) for number in range(1, 6)], first, last)


def test_the_running_proof_counts_adoptions_and_fills_of_no_grid_too() -> None:
    story, venue = Story(LedgerMachine()), Venue()
    story.account(venue.snapshot(0, 100))
    for fact in (foreign_fill(1, base_e9=E9, quote_e6=99 * E6, fee_e6=7), adoption(-E9, 98 * E6, 5, 2)):
        venue.apply(fact)
        assert story.account(fact)
    proof = story.account(venue.snapshot(3, 120))
    assert [fact.residual_e6 for fact in proof if isinstance(fact, ProofChecked)] == [0]
