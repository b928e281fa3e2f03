"""The ledger's decisions, fact by fact."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import (
    BooksClosed,
    BooksOpened,
    CycleClosed,
    FillBooked,
    FillProven,
    FundingBooked,
    KeeperFeeCharged,
    Liquidated,
    Marked,
    Posted,
    ProofChecked,
)
from gridkeeper_core.inputs import Wake
from gridkeeper_core.ledger.books import ENTRIES_KEPT
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.state import MARK_EVERY_NS
from gridkeeper_core.ledger.views import account_view, grid_view
from gridkeeper_core.units import E6, E9
from support.ledger_story import (
    ALIAS,
    GRID,
    MARKET,
    Story,
    filled,
    funding,
    opened,
    reverted,
    settled,
    snapshot,
    stopped,
    taken_back,
    transferred,
)


@pytest.fixture
def story() -> Story:
    story = Story(LedgerMachine())
    story.grid(opened())
    return story


def state_of(story: Story) -> LedgerMachine:
    assert isinstance(story.machine, LedgerMachine)
    return story.machine


def test_an_opened_grid_gets_books_at_its_start_price() -> None:
    expected = BooksOpened(
        market=MARKET,
        market_index=0,
        sizes_e9=(E9, E9, E9),
        held_e9=(0, 0, E9),
        start_price_e6=105 * E6,
        start_position_e9=0,
    )
    assert Story(LedgerMachine()).grid(opened()) == [expected]


def test_a_fill_is_posted_to_the_account_and_booked_to_its_grid(story: Story) -> None:
    trade = Posted(
        kind="trade",
        market=MARKET,
        base_e9=E9,
        quote_e6=-100 * E6,
        deposit_e6=0,
        signature="sig-7",
        index=0,
        market_index=0,
        fill_record_id=7,
        slot=7,
    )
    booked = FillBooked(
        intent_id="sol/buy/1/0",
        market=MARKET,
        side="buy",
        cell=1,
        price_e6=100 * E6,
        base_e9=E9,
        quote_e6=100 * E6,
        fee_e6=-20_000,
        position_e9=E9,
        quote_entry_e6=-100 * E6,
        realized_pnl_e6=0,
        grid_quote_e6=0,
        fill_record_id=7,
        market_index=0,
        signature="sig-7",
        account=ALIAS,
        slot=7,
    )
    fee = msgspec.structs.replace(trade, kind="fee", base_e9=0, quote_e6=20_000)
    assert story.account(filled(7, "buy", 1, fee_e6=-20_000)) == [trade, fee, booked]


def test_the_sale_of_what_a_cell_bought_closes_its_turn(story: Story) -> None:
    story.account(filled(1, "buy", 1, price=100, fee_e6=10))
    written = story.account(filled(2, "sell", 1, price=110, fee_e6=20))
    cycle = written[-1]
    assert isinstance(cycle, CycleClosed)
    assert (cycle.cell, cycle.cycle, cycle.base_e9) == (1, 0, E9)
    assert (cycle.buy_quote_e6, cycle.sell_quote_e6, cycle.fee_e6) == (100 * E6, 110 * E6, 30)
    assert cycle.profit_e6 == 10 * E6 - 30
    assert cycle.opened_ns == story.now_ns - E9


def test_a_fill_that_arrives_twice_changes_nothing(story: Story) -> None:
    story.account(filled(1, "buy", 1))
    before = story.machine.digests()
    assert story.account(filled(1, "buy", 1)) == []
    assert story.machine.digests() == before


def test_a_late_fill_is_put_in_its_place() -> None:
    in_order, late = Story(LedgerMachine()), Story(LedgerMachine())
    fills = [filled(1, "buy", 0, price=90), filled(2, "buy", 1, price=100), filled(3, "sell", 0, price=100)]
    in_order.grid(opened())
    late.grid(opened())
    in_order.account(*fills)
    written = late.account(fills[0], fills[2], fills[1])
    # Alone, the sale realised 100 - 90. With the purchase at 100 before it the average is 95: 5 less.
    assert [f.realized_pnl_e6 for f in written if isinstance(f, FillBooked)] == [0, 10 * E6, -5 * E6]
    assert grid_view(state_of(late).state, GRID) == grid_view(state_of(in_order).state, GRID)


def test_a_reverted_fill_leaves_the_books_as_if_it_had_never_been(story: Story) -> None:
    story.account(filled(1, "buy", 1))
    before = grid_view(state_of(story).state, GRID)
    story.account(filled(2, "sell", 1, price=110, fee_e6=5))
    reversal, booked = story.account(reverted(2))
    assert isinstance(reversal, Posted)
    assert (reversal.kind, reversal.base_e9, reversal.quote_e6) == ("reversal", E9, -110 * E6 + 5)
    assert isinstance(booked, FillBooked)
    assert (booked.base_e9, booked.fee_e6, booked.grid_quote_e6) == (-E9, -5, -10 * E6)
    assert grid_view(state_of(story).state, GRID) == before


def test_a_reverted_fill_may_come_again(story: Story) -> None:
    story.account(filled(1, "buy", 1), reverted(1))
    assert len(story.account(filled(1, "buy", 1, slot=9))) == 2
    assert grid_view(state_of(story).state, GRID).result.position_e9 == E9


def test_a_fill_nobody_booked_cannot_be_reverted(story: Story) -> None:
    before = story.machine.digests()
    assert story.account(reverted(4)) == []
    assert story.machine.digests() == before


def test_a_fill_that_was_final_for_long_is_taken_back_by_the_amounts_it_is_told_with_and_once(story: Story) -> None:
    bought = filled(1, "buy", 1, fee_e6=7)
    final = msgspec.structs.replace(snapshot(9, 10**9, E9, -100 * E6 - 7, 100), cursor_slot=9)
    story.account(snapshot(0, 10**9), bought, final, msgspec.structs.replace(final, slot=10, cursor_slot=10))
    assert not state_of(story).state.account(ALIAS).knows("fill:0:1"), "the books remember it still"

    told = story.account(taken_back(bought))
    assert [(f.kind, f.base_e9, f.quote_e6) for f in told if isinstance(f, Posted)] == [("reversal", -E9, 100 * E6 + 7)]
    proof = story.account(snapshot(12, 10**9, 0, 0, 100))
    assert [fact.residual_e6 for fact in proof if isinstance(fact, ProofChecked)] == [0]
    assert grid_view(state_of(story).state, GRID).result.position_e9 == 0
    assert story.account(taken_back(bought)) == []
    assert len(story.account(bought)) == 3, "it may land again"


def test_a_fill_from_before_all_that_a_grid_remembers_is_taken_back_too(story: Story) -> None:
    first = filled(1, "buy", 1, fee_e6=7)
    story.account(first, *(filled(n, "buy" if n % 2 else "sell", 0) for n in range(2, 2 + 2 * ENTRIES_KEPT + 2)))
    before = grid_view(state_of(story).state, GRID).result
    assert state_of(story).state.grids[GRID].recorded(1) is None, "the grid remembers it still"

    story.account(taken_back(first))

    after = grid_view(state_of(story).state, GRID).result
    assert (before.position_e9 - after.position_e9, before.fees_e6 - after.fees_e6) == (E9, 7)
    again = LedgerMachine()
    for event in story.log:
        again.restore(event)
    assert again.digests() == story.machine.digests()


def test_a_proven_fill_counts_like_a_recorded_one(story: Story) -> None:
    proven = FillProven(
        intent_id="sol/buy/1/0",
        attempt=1,
        order_id=3,
        market=MARKET,
        market_index=0,
        cell=1,
        side="buy",
        base_e9=E9,
        quote_e6=100 * E6,
        fee_e6=7,
        slot=4,
        proof="counters",
    )
    story.account(proven, filled(5, "sell", 1, price=110))
    result = grid_view(state_of(story).state, GRID).result
    assert (result.position_e9, result.grid_profit_e6, result.fees_e6) == (0, 10 * E6, 7)


def test_a_fill_of_no_cell_counts_but_earns_no_grid_profit(story: Story) -> None:
    story.account(filled(1, "buy", 1), filled(2, "sell", 0, price=110, kind="flatten"))
    result = grid_view(state_of(story).state, GRID).result
    assert (result.position_e9, result.grid_profit_e6, result.realized_pnl_e6) == (0, 0, 10 * E6)


def test_a_fill_of_an_unknown_grid_is_the_accounts_alone(story: Story) -> None:
    assert [type(fact) for fact in story.account(filled(1, "buy", 1, grid="other"))] == [Posted]


def test_funding_goes_to_the_grid_that_trades_the_market(story: Story) -> None:
    story.account(filled(1, "buy", 1))
    posted, booked = story.account(funding(-250, slot=2))
    assert isinstance(posted, Posted)
    assert isinstance(booked, FundingBooked)
    assert (posted.kind, posted.quote_e6, booked.quote_e6) == ("funding", -250, -250)
    assert grid_view(state_of(story).state, GRID).result.funding_e6 == -250


def test_a_liquidation_changes_the_grids_position(story: Story) -> None:
    story.account(filled(1, "buy", 1, price=100))
    liquidated = Liquidated(
        market=MARKET, market_index=0, base_e9=-E9, quote_e6=80 * E6, fee_e6=E6, slot=2, signature="l", index=0
    )
    story.account(liquidated)
    result = grid_view(state_of(story).state, GRID, 80 * E6).result
    assert (result.position_e9, result.total_pnl_e6, result.fees_e6) == (0, -21 * E6, E6)


def test_the_first_snapshot_opens_the_books_and_the_next_proves_them(story: Story) -> None:
    kinds = [fact.kind for fact in story.account(snapshot(0, 1000 * E6)) if isinstance(fact, Posted)]
    assert kinds == ["opening"]
    story.account(filled(1, "buy", 1, price=100, fee_e6=-20_000), funding(-250, 2), settled(100, 3), transferred(50, 4))
    # Deposit 1000 + 100 settled + 50 paid in; quote -100 + rebate - funding - 100 settled; 1 SOL at 103.
    venue = snapshot(4, 1000 * E6 + 150, base_e9=E9, quote_e6=-100 * E6 + 20_000 - 250 - 100, oracle=103)
    equity = 1003 * E6 + 150 + 20_000 - 250 - 100
    assert story.account(venue) == [ProofChecked(slot=4, left_e6=equity, right_e6=equity, residual_e6=0, final_slot=4)]


def test_what_the_venue_holds_and_no_event_explains_is_the_residual(story: Story) -> None:
    story.account(snapshot(0, 1000 * E6), filled(1, "buy", 1))
    (proof,) = story.account(snapshot(2, 1000 * E6 - 7, base_e9=E9, quote_e6=-100 * E6))
    assert isinstance(proof, ProofChecked)
    assert proof.residual_e6 == -7


def test_base_that_only_the_books_know_of_shows_in_the_residual(story: Story) -> None:
    story.account(snapshot(0, 1000 * E6), filled(1, "buy", 1, quote_e6=0))
    (proof,) = story.account(snapshot(2, 1000 * E6))
    assert isinstance(proof, ProofChecked)
    assert proof.residual_e6 != 0


def test_a_fill_after_the_snapshots_slot_is_left_to_the_next_proof(story: Story) -> None:
    story.account(snapshot(5, 1000 * E6), filled(9, "buy", 1))
    (early,) = story.account(snapshot(8, 1000 * E6))
    (later,) = story.account(snapshot(9, 1000 * E6, base_e9=E9, quote_e6=-100 * E6))
    assert isinstance(early, ProofChecked)
    assert isinstance(later, ProofChecked)
    assert (early.residual_e6, later.residual_e6) == (0, 0)


def test_fills_before_the_first_snapshot_are_not_counted_twice(story: Story) -> None:
    story.account(filled(1, "buy", 1), snapshot(2, 1000 * E6, base_e9=E9, quote_e6=-100 * E6))
    (proof,) = story.account(snapshot(3, 1000 * E6, base_e9=E9, quote_e6=-100 * E6))
    assert isinstance(proof, ProofChecked)
    assert proof.residual_e6 == 0
    assert account_view(state_of(story).state, ALIAS).holdings[0].base_e9 == E9


@pytest.mark.parametrize("from_deposit", [False, True])
def test_a_keeper_fee_is_the_accounts_cost_whichever_part_of_it_pays(story: Story, from_deposit: bool) -> None:
    story.account(snapshot(0, 1000 * E6), filled(1, "buy", 1))
    fee = KeeperFeeCharged(
        order_id=1, quote_e6=-10_000, market_index=0, slot=2, signature="k", index=0, from_deposit=from_deposit
    )
    story.account(fee)
    deposit_e6, quote_e6 = 1000 * E6, -100 * E6
    if from_deposit:
        deposit_e6 -= 10_000
    else:
        quote_e6 -= 10_000
    (proof,) = story.account(snapshot(3, deposit_e6, base_e9=E9, quote_e6=quote_e6))
    assert isinstance(proof, ProofChecked)
    assert proof.residual_e6 == 0
    view = account_view(state_of(story).state, ALIAS)
    assert (view.deposit_e6, view.holdings[0].quote_e6) == (deposit_e6, quote_e6)


def test_the_lines_of_an_account_add_up_to_its_equity(story: Story) -> None:
    story.account(snapshot(0, 1000 * E6), filled(1, "buy", 1, fee_e6=5), funding(-250, 2))
    story.price(130)
    view = account_view(state_of(story).state, ALIAS)
    assert sum(line.quote_e6 for line in view.lines) == 1030 * E6 - 5 - 250


def test_a_grid_is_marked_at_the_full_five_minutes_after_books_or_price_changed(story: Story) -> None:
    story.price(105)
    story.account(filled(1, "buy", 1, price=100), filled(2, "buy", 0, price=90, fee_e6=E6))
    due = story.machine.next_wake_ns()
    assert due is not None
    assert due % MARK_EVERY_NS == 0
    assert 0 < due - story.now_ns <= MARK_EVERY_NS
    (marked,) = story.take(Wake(now_ns=due))
    assert marked == Marked(
        price_e6=105 * E6,
        position_e9=2 * E9,
        grid_profit_e6=0,
        realized_pnl_e6=0,
        unrealized_pnl_e6=20 * E6,
        fees_e6=E6,
        funding_e6=0,
        total_pnl_e6=19 * E6,
    )
    assert story.machine.next_wake_ns() == due + MARK_EVERY_NS


def test_a_look_that_finds_nothing_new_marks_nothing(story: Story) -> None:
    story.price(105)
    due = story.machine.next_wake_ns()
    assert due is not None
    assert story.take(Wake(now_ns=due))
    story.price(105)
    assert story.take(Wake(now_ns=due + MARK_EVERY_NS)) == []
    story.price(106)
    assert len(story.take(Wake(now_ns=due + 2 * MARK_EVERY_NS))) == 1


def test_a_stopped_grid_keeps_its_totals_and_nothing_else(story: Story) -> None:
    story.price(105)
    story.account(filled(1, "buy", 1, price=100), filled(2, "sell", 1, price=110))
    marked, closed = story.grid(stopped())
    assert isinstance(marked, Marked)
    assert closed == BooksClosed(position_e9=0, fills=2, turns=1)
    view = grid_view(state_of(story).state, GRID)
    assert (view.is_open, view.result.total_pnl_e6, view.lines) == (False, 10 * E6, ())
    assert story.machine.next_wake_ns() is None
    assert [type(fact) for fact in story.account(funding(-1, 9))] == [Posted]


def test_grid_profit_and_total_pnl_of_a_worked_example(story: Story) -> None:
    # A neutral grid at 105: cell 2 (110 to 120) sells first; nothing is really held at the start.
    story.account(
        filled(1, "buy", 1, price=100),
        filled(2, "sell", 1, price=110),
        filled(3, "sell", 2, price=120, fee_e6=E6),
        funding(-500_000, 4),
    )
    view = grid_view(state_of(story).state, GRID, 125 * E6)
    # Cash: -100 + 110 + 120 = 130; one SOL short at 125; fee 1, funding 0.5.
    assert view.result.total_pnl_e6 == 3_500_000
    # Grid profit is the one completed turn; the sale at 120 is a short lot, 5 under water at 125.
    assert [line.quote_e6 for line in view.lines] == [10 * E6, -5 * E6, 0, 0, -E6, -500_000]
    assert (view.result.realized_pnl_e6, view.result.unrealized_pnl_e6) == (10 * E6, -5 * E6)
    assert (view.result.average_entry_e6, view.result.break_even_e6) == (120 * E6, 118_500_000)


def test_a_record_that_the_books_do_not_come_to_is_refused(story: Story) -> None:
    story.account(filled(1, "buy", 1))
    event = story.log[-1]
    forged = msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, realized_pnl_e6=1))
    restored = LedgerMachine()
    restored.restore(story.log[0])
    with pytest.raises(GridkeeperError, match="REPLAY_DIFFERS"):
        restored.restore(forged)


@pytest.mark.parametrize(("view", "code"), [(grid_view, "GRID_UNKNOWN"), (account_view, "ACCOUNT_UNKNOWN")])
def test_a_question_about_something_unknown_is_refused(view: object, code: str) -> None:
    assert callable(view)
    with pytest.raises(GridkeeperError, match=code):
        view(LedgerMachine().state, "nobody")


def test_what_came_before_the_last_but_one_snapshot_is_forgotten(story: Story) -> None:
    held = {"base_e9": E9, "quote_e6": -100 * E6}
    story.account(snapshot(0, 0), filled(1, "buy", 1), snapshot(2, 0, **held))
    assert story.account(filled(1, "buy", 1)) == []
    books = state_of(story).state.accounts[ALIAS]
    assert [posted.slot for posted in books.recent()] == [1]
    story.account(snapshot(3, 0, **held))
    assert books.recent() == ()
