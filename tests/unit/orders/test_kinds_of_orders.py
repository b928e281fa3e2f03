"""Stops, takers and closing orders: what passes which gate, and how each is placed."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.inputs import HaltAccount
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue import records as r
from gridkeeper_core.venue.records import WHOLE_POSITION_E9
from support.desk import Desk, cancel, fill, kinds, order, placed
from support.story import config

BUY = "tale/buy/4/0"
STOP = e.WantedOrder(
    intent_id="tale/stop-low/0/0",
    kind="stop-low",
    cell=-1,
    side="sell",
    price_e6=0,
    size_e9=WHOLE_POSITION_E9,
    post_only="none",
    reduce_only=True,
    order_type="trigger_market",
    trigger_e6=90 * E6,
)


def taker(side: str, price: float, *, reduce_only: bool = False) -> e.WantedOrder:
    wanted = order(f"tale/{side}/5/0", price)
    return replace(wanted, post_only="none", immediate_or_cancel=True, reduce_only=reduce_only)


def with_position(desk: Desk) -> None:
    """One SOL bought at 104, and a stop resting as order 8."""
    desk.want(order(BUY, 104), STOP)
    desk.landed(placed(desk, BUY, 7), replace(placed(desk, STOP.intent_id, 8), index=1))
    desk.seen("k1", fill(7, 1, 1.0, 1.0), ours=False)


def test_a_stop_is_placed_as_it_is_wanted() -> None:
    desk = Desk()
    desk.want(STOP)
    (place,) = desk.rolls[-1].places
    assert (place.order_type, place.trigger_e6, place.trigger_above) == ("trigger_market", 90 * E6, False)
    assert (place.reduce_only, place.size_e9, place.max_ts) == (True, WHOLE_POSITION_E9, 0)
    accepted = next(fact for fact in desk.facts if isinstance(fact, e.OrderAccepted))
    assert (accepted.order_type, accepted.trigger_e6) == ("trigger_market", 90 * E6)


def test_a_stop_needs_no_fresh_price_and_counts_for_no_margin() -> None:
    desk = Desk(deposit_e6=11 * E6)
    desk.now_ns += 60 * NS_PER_S
    assert kinds(desk.want(STOP)) == ["OrderAccepted", "TransactionSigned"]
    desk.landed(placed(desk, STOP.intent_id, 8))
    desk.price(105)
    assert kinds(desk.want(order(BUY, 104))) == ["OrderAccepted", "TransactionSigned"]


def test_a_halt_leaves_stops_where_they_are() -> None:
    desk = Desk()
    desk.want(order(BUY, 104), STOP)
    desk.landed(placed(desk, BUY, 7), replace(placed(desk, STOP.intent_id, 8), index=1))
    desk.command(HaltAccount())
    assert desk.rolls[-1].cancel_order_ids == (7,)
    assert desk.account.attempts[STOP.intent_id].status == "resting"


def test_closing_is_placed_while_new_risk_is_refused() -> None:
    desk = Desk()
    with_position(desk)
    desk.command(HaltAccount())
    flatten = replace(
        taker("sell", 104, reduce_only=True), intent_id="tale/flatten/0/0", kind="flatten", immediate_or_cancel=False
    )
    facts = desk.want(order("tale/buy/3/0", 103), flatten)
    assert kinds(facts) == ["OrderRefused", "OrderAccepted", "TransactionSigned"]
    (place,) = desk.rolls[-1].places
    assert (place.order_type, place.reduce_only) == ("market", True)


def test_a_taker_order_never_pays_more_than_the_cap_at_placement() -> None:
    desk = Desk()
    desk.want(taker("buy", 110))
    (place,) = desk.rolls[-1].places
    # 105 and 50 bp are 105.525, down to the tick of 0.01.
    assert place.price_e6 == 105_520_000
    assert place.immediate_or_cancel


def test_a_taker_order_within_the_cap_keeps_its_own_worst_price() -> None:
    desk = Desk()
    desk.want(taker("sell", 104.9))
    assert desk.rolls[-1].places[0].price_e6 == 104_900_000
    desk.landed()
    desk.want(replace(taker("sell", 90), intent_id="tale/sell/5/1"))
    # 105 less 50 bp is 104.475, up to the tick.
    assert desk.rolls[-1].places[0].price_e6 == 104_480_000


def test_what_takes_at_once_has_a_transaction_of_its_own() -> None:
    desk = Desk()
    desk.want(order(BUY, 104), taker("sell", 103))
    assert [place.immediate_or_cancel for place in desk.rolls[-1].places] == [False]
    desk.landed(placed(desk, BUY, 7))
    assert [place.immediate_or_cancel for place in desk.rolls[-1].places] == [True]


def test_a_stop_that_wakes_up_is_told_with_its_keepers_fee_and_its_fill_closes_it() -> None:
    desk = Desk()
    with_position(desk)
    stop_id = STOP.intent_id
    woken = desk.seen("k2", r.TriggerRecord(index=0, order_id=8, market_index=0, keeper_fee_e6=10_000), ours=False)
    assert kinds(woken) == ["KeeperFeeCharged", "OrderTriggered"]
    charged = woken[0]
    assert isinstance(charged, e.KeeperFeeCharged)
    assert charged.quote_e6 == -10_000
    again = desk.seen("k2", r.TriggerRecord(index=0, order_id=8, market_index=0, keeper_fee_e6=10_000), ours=False)
    assert again == []

    sold = replace(fill(8, 2, 1.0, 1.0, "sell"), order_size_e9=WHOLE_POSITION_E9)
    facts = desk.seen("k3", sold, replace(cancel(8), index=3), ours=False)
    assert kinds(facts) == ["OrderFilled", "OrderClosed"]
    closed = facts[-1]
    assert isinstance(closed, e.OrderClosed)
    assert (closed.intent_id, closed.reason, closed.filled_e9) == (stop_id, "filled", E9)
    assert desk.account.positions[0].base_e9 == 0


def test_a_grid_with_stops_is_given_five_slots_of_reserve() -> None:
    desk = Desk(wish=config(live_orders=27, reserve=4, stop_low_e6=90 * E6))
    assert desk.account.reservations["tale"].slots == 32


def test_a_grid_that_adopts_is_told_the_venues_own_entry() -> None:
    desk = Desk()
    with_position(desk)
    desk._event("grid:tale", e.GridStopped(position_e9=E9, quote_e6=0, fills=1))
    (reserved,) = desk.propose(config(grid_id="next"))
    assert isinstance(reserved, e.SlotsReserved)
    assert (reserved.position_e9, reserved.quote_entry_e6) == (E9, -104 * E6)


def test_a_roll_that_does_not_fit_becomes_a_series_nearest_first() -> None:
    desk = Desk()
    desk.orders_max = 5
    wants = [order(f"tale/buy/{cell}/0", 104 - cell / 100, 0.01) for cell in range(12)]
    facts = desk.want(*wants)
    assert kinds(facts) == ["OrdersQueued", "OrderAccepted", "OrderAccepted", "OrderAccepted", "TransactionSigned"]
    assert [place.price_e6 for place in desk.rolls[-1].places] == [104_000_000, 103_990_000, 103_980_000]
    desk.landed(*[replace(placed(desk, w.intent_id, 100 + n), index=n) for n, w in enumerate(wants[:3])])
    assert desk.rolls[-1].places[0].price_e6 == 103_970_000
