"""Laws of the ledger that hold for any history, in any order of arrival."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.events import (
    Fact,
    FillBooked,
    FundingPaid,
    GridOpened,
    OrderFilled,
    PnlSettled,
    Posted,
    ProofChecked,
    RecordReverted,
    Side,
    Transferred,
)
from gridkeeper_core.inputs import Wake
from gridkeeper_core.ledger import books
from gridkeeper_core.ledger.account import legs_of
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.views import GridBooksView, account_view, grid_view
from gridkeeper_core.units import E6, E9, div_trunc
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill, apply_quote
from support.ledger_story import ALIAS, GRID, Story, filled, funding, opened, reverted, settled, snapshot, transferred

SIDES: tuple[Side, ...] = ("buy", "sell")


@st.composite
def fills(draw: st.DrawFn, record: int) -> OrderFilled:
    size = draw(st.integers(1, 3 * E9) | st.sampled_from((E9 // 3, E9)))
    return filled(
        record,
        draw(st.sampled_from(SIDES)),
        draw(st.integers(0, 2)),
        base_e9=size,
        quote_e6=draw(st.integers(0, 400 * E6)),
        fee_e6=draw(st.integers(-1000, 1000)),
        kind=draw(st.sampled_from(("", "", "", "flatten"))),
    )


@st.composite
def histories(draw: st.DrawFn, *, fills_only: bool = False) -> list[Fact]:
    facts: list[Fact] = []
    for slot in range(1, draw(st.integers(1, 18)) + 1):
        amount = draw(st.integers(-5 * E6, 5 * E6))
        kind = (
            "fill" if fills_only else draw(st.sampled_from(("fill", "fill", "fill", "funding", "settle", "transfer")))
        )
        match kind:
            case "fill":
                facts.append(draw(fills(slot)))
            case "funding":
                facts.append(funding(amount, slot))
            case "settle":
                facts.append(settled(amount, slot))
            case _:
                facts.append(transferred(amount, slot))
    return facts


def told(facts: list[Fact], *, position: int = 0) -> Story:
    story = Story(LedgerMachine())
    story.grid(opened(position=position))
    # The grid's first fill says which account it trades on; funding before it belongs to nobody.
    story.account(snapshot(0, 1000 * E6), filled(0, "buy", 0, price=90), *facts)
    return story


def view_of(story: Story, price: int = 107) -> GridBooksView:
    assert isinstance(story.machine, LedgerMachine)
    return grid_view(story.machine.state, GRID, price * E6)


@given(st.data())
def test_any_order_and_any_repetition_of_fills_give_the_same_books(data: st.DataObject) -> None:
    history = data.draw(histories())
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=6))
    shuffled = data.draw(st.permutations(repeated))
    straight, mixed = told(history), told(shuffled)
    assert view_of(mixed) == view_of(straight)
    assert isinstance(mixed.machine, LedgerMachine)
    assert isinstance(straight.machine, LedgerMachine)
    assert account_view(mixed.machine.state, ALIAS) == account_view(straight.machine.state, ALIAS)


@given(histories())
def test_the_books_hold_the_chains_integers(history: list[Fact]) -> None:
    story = told(history)
    assert isinstance(story.machine, LedgerMachine)
    position = story.machine.state.grids[GRID].sums.position
    expected = msgspec.structs.replace(position, base_e9=0, quote_asset_e6=0, quote_entry_e6=0, quote_break_even_e6=0)
    for fact in [filled(0, "buy", 0, price=90), *history]:
        if isinstance(fact, OrderFilled):
            sign = 1 if fact.side == "buy" else -1
            expected, _ = apply_fill(expected, sign * fact.base_e9, -sign * fact.quote_e6)
            expected = apply_fee(expected, fact.fee_e6)
        elif isinstance(fact, FundingPaid):
            expected = apply_quote(expected, fact.quote_e6)
    assert position == expected


@given(histories(), st.integers(-3, 3), st.integers(1, 300))
def test_the_lines_lead_from_grid_profit_to_total_pnl_exactly(history: list[Fact], position: int, price: int) -> None:
    view = view_of(told(history, position=position), price)
    result = view.result
    assert sum(line.quote_e6 for line in view.lines) == result.total_pnl_e6
    parts = result.realized_pnl_e6 + result.unrealized_pnl_e6 - result.fees_e6 + result.funding_e6
    assert parts == result.total_pnl_e6


@given(histories())
def test_what_fills_booked_adds_up_to_the_books(history: list[Fact]) -> None:
    story = told(history)
    booked = [event.fact for event in story.log if isinstance(event.fact, FillBooked)]
    result = view_of(story).result
    assert sum(fill.realized_pnl_e6 for fill in booked) == result.realized_pnl_e6
    assert sum(fill.grid_quote_e6 for fill in booked) == result.grid_profit_e6
    assert sum(fill.fee_e6 for fill in booked) == result.fees_e6
    assert booked[-1].position_e9 == result.position_e9


@given(st.data())
def test_what_a_fork_takes_back_leaves_the_books_as_if_it_had_never_been(data: st.DataObject) -> None:
    history = data.draw(histories())
    gone = data.draw(st.lists(st.sampled_from(history), unique_by=id))
    rest = [fact for fact in history if not any(fact is lost for lost in gone)]
    forked, straight = told([*history, *(_undone(fact) for fact in gone)]), told(rest)
    assert isinstance(forked.machine, LedgerMachine)
    assert isinstance(straight.machine, LedgerMachine)
    now, never = account_view(forked.machine.state, ALIAS), account_view(straight.machine.state, ALIAS)
    assert now.deposit_e6 == never.deposit_e6
    assert [h for h in now.holdings if h.base_e9 or h.quote_e6] == [
        h for h in never.holdings if h.base_e9 or h.quote_e6
    ]
    assert view_of(forked).result == view_of(straight).result


def _undone(fact: Fact) -> Fact:
    if isinstance(fact, OrderFilled):
        return reverted(fact.fill_record_id)
    assert isinstance(fact, FundingPaid | PnlSettled | Transferred)
    return RecordReverted(signature=fact.signature, index=fact.index)


@given(histories())
def test_postings_sum_to_zero_per_asset(history: list[Fact]) -> None:
    story = told([*history, reverted(0)])
    balance: Counter[str] = Counter()
    books_by_name: Counter[str] = Counter()
    for event in story.log:
        for leg in legs_of(event.fact) if isinstance(event.fact, Posted) else ():
            balance[leg.asset] += leg.units
            books_by_name[f"{leg.book} {leg.asset}"] += leg.units
    assert not any(balance.values())
    assert isinstance(story.machine, LedgerMachine)
    account = account_view(story.machine.state, ALIAS)
    assert books_by_name["deposit quote"] == account.deposit_e6
    assert books_by_name["position:0 base:0"] == sum(holding.base_e9 for holding in account.holdings)


@given(st.data())
def test_the_proof_leaves_nothing_over_on_any_history(data: st.DataObject) -> None:
    history = data.draw(histories())
    venue = _Venue()
    story = told([])
    venue.take(filled(0, "buy", 0, price=90))
    for fact in history:
        venue.take(fact)
        story.account(fact)
        if data.draw(st.booleans()):
            story.account(venue.snapshot(data.draw(st.integers(1, 300))))
    story.account(venue.snapshot(111))
    proofs = [event.fact for event in story.log if isinstance(event.fact, ProofChecked)]
    assert [proof.residual_e6 for proof in proofs] == [0] * len(proofs)
    assert proofs[-1].left_e6 == venue.equity_e6(111)


@given(st.data())
def test_a_log_folds_to_the_same_state(data: st.DataObject) -> None:
    history = data.draw(st.permutations([*data.draw(histories()), reverted(0), snapshot(3, 5), snapshot(9, 6)]))
    story = told(history)
    story.price(107)
    due = story.machine.next_wake_ns()
    assert due is not None
    story.take(Wake(now_ns=due))
    assert story.told_again_to(LedgerMachine()) == story.machine.digests()


@given(histories(), st.data())
def test_an_input_without_a_draft_leaves_the_state_equal(history: list[Fact], data: st.DataObject) -> None:
    story = told(history)
    before = story.machine.digests()
    again = data.draw(st.sampled_from([*history, reverted(99), opened(), filled(0, "buy", 0, price=90)]))
    stream = f"grid:{GRID}" if isinstance(again, GridOpened) else f"account:{ALIAS}"
    assert story.tell(stream, again) == []
    assert story.take(Wake(now_ns=story.now_ns)) == []
    assert story.machine.digests() == before


@given(st.lists(st.integers(0, 39), max_size=6))
def test_old_entries_are_folded_without_a_trace(late: list[int]) -> None:
    history: list[Fact] = [
        filled(n + 1, SIDES[n % 2], n % 3, base_e9=E9 * (1 + n % 4) // 3, quote_e6=90 * E6 + n) for n in range(40)
    ]
    with pytest.MonkeyPatch.context() as patch:
        straight = told(history)
        patch.setattr(books, "ENTRIES_KEPT", 12)
        delayed = list(history)
        for place in late:
            # A few places late is what a reordering of unfinalized transactions looks like.
            delayed.insert(min(place + 4, 39), delayed.pop(place))
        assert view_of(told(delayed)) == view_of(straight)


class _Venue:
    """The account as the chain would keep it."""

    def __init__(self) -> None:
        self._base = self._quote = 0
        self._deposit = 1000 * E6
        self._slot = 0

    def take(self, fact: Fact) -> None:
        match fact:
            case OrderFilled():
                sign = 1 if fact.side == "buy" else -1
                self._base += sign * fact.base_e9
                self._quote -= sign * fact.quote_e6 + fact.fee_e6
                self._slot = fact.slot
            case FundingPaid():
                self._quote += fact.quote_e6
                self._slot = fact.slot
            case PnlSettled():
                self._quote -= fact.quote_e6
                self._deposit += fact.quote_e6
                self._slot = fact.slot
            case Transferred():
                self._deposit += fact.quote_e6
                self._slot = fact.slot

    def snapshot(self, oracle: int) -> Fact:
        return snapshot(self._slot, self._deposit, self._base, self._quote, oracle)

    def equity_e6(self, oracle: int) -> int:
        return self._deposit + self._quote + div_trunc(self._base * oracle * E6, E9)
