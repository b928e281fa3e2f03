"""The equity proof leaves nothing over on any history, and exactly what was left out on any history with a hole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.events import AccountSnapshot, Fact, InterestPaid, Side
from gridkeeper_core.units import E6, E9
from support.account_history import Venue, adoption, foreign_fill, proven, recorded
from support.ledger_story import filled, funding, reverted, settled, transferred

AMOUNTS = st.integers(-50 * E6, 50 * E6)
SIDES: tuple[Side, ...] = ("buy", "sell")
SIZES = st.integers(1, 3 * E9)


@st.composite
def moves(draw: st.DrawFn, slot: int, taken_back: list[int]) -> Fact:
    """One fact that moves an amount, at a slot of its own."""
    kind = draw(st.sampled_from(("fill", "fill", "foreign", "funding", "settle", "transfer", "interest", "revert")))
    if kind == "revert" and taken_back:
        return reverted(taken_back.pop())
    match kind:
        case "fill" | "revert":
            taken_back.append(slot)
            side: Side = draw(st.sampled_from(SIDES))
            size, quote, fee = draw(SIZES), draw(st.integers(0, 400 * E6)), draw(st.integers(-1000, 1000))
            return filled(slot, side, 0, base_e9=size, quote_e6=quote, fee_e6=fee)
        case "foreign":
            size = draw(SIZES) * draw(st.sampled_from((1, -1)))
            return foreign_fill(slot, base_e9=size, quote_e6=draw(st.integers(0, 400 * E6)), fee_e6=draw(AMOUNTS))
        case "funding":
            return funding(draw(AMOUNTS), slot)
        case "settle":
            return settled(draw(AMOUNTS), slot)
        case "transfer":
            return transferred(draw(AMOUNTS), slot)
        case _:
            return InterestPaid(quote_e6=draw(AMOUNTS), slot=slot)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Facts between snapshots, the first and the last being one."""
    venue, taken_back = Venue(), list[int]()
    venue.base_e9, venue.quote_e6 = draw(st.integers(-E9, E9)), draw(AMOUNTS)
    facts: list[Fact] = [venue.snapshot(0, 100)]
    for slot in range(1, draw(st.integers(1, 14)) + 1):
        fact = draw(moves(slot, taken_back))
        venue.apply(fact)
        facts.append(fact)
        if draw(st.booleans()):
            facts.append(venue.snapshot(slot, draw(st.integers(1, 300))))
    if draw(st.booleans()):
        fact = adoption(draw(AMOUNTS), draw(AMOUNTS), draw(AMOUNTS), 50)
        venue.apply(fact)
        facts.append(fact)
    return [*facts, venue.snapshot(60, draw(st.integers(1, 300)))]


@given(histories(), st.data())
def test_the_residual_is_zero_between_any_two_snapshots_of_any_history(facts: list[Fact], data: st.DataObject) -> None:
    count = sum(isinstance(fact, AccountSnapshot) for fact in facts)
    first = data.draw(st.integers(0, count - 2))
    last = data.draw(st.integers(first + 1, count - 1))

    proof = proven(recorded(facts), first=first, last=last)

    assert proof.residual_e6 == 0


@given(histories(), st.integers(1, 10**6))
def test_an_amount_the_venue_has_and_no_event_tells_is_the_residual_to_the_unit(
    facts: list[Fact], missing_e6: int
) -> None:
    last = facts[-1]
    assert isinstance(last, AccountSnapshot)
    richer = AccountSnapshot(
        slot=last.slot,
        cursor_slot=last.cursor_slot,
        deposit_e6=last.deposit_e6 + missing_e6,
        positions=last.positions,
        open_orders=0,
        cursor="",
        lamports=0,
    )
    assert proven(recorded([*facts[:-1], richer])).residual_e6 == missing_e6


@given(histories())
def test_the_terms_of_neighbouring_intervals_add_up_to_those_of_both(facts: list[Fact]) -> None:
    count = sum(isinstance(fact, AccountSnapshot) for fact in facts)
    parts = [proven(recorded(facts), first=at, last=at + 1) for at in range(count - 1)]
    whole = proven(recorded(facts))
    assert sum(part.left_e6 for part in parts) == whole.left_e6
    assert sum(part.right_e6 for part in parts) == whole.right_e6
