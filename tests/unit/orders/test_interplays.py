"""What two things do to each other that are right alone: a rest and a cancel, an adoption and what is not final."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.audit.decisions import DecisionCheck
from gridkeeper_core.inputs import AdoptAccount, EventSeen, Input, PriceTick, SettleAccount, TransactionGone
from gridkeeper_core.orders.portfolio import Portfolio
from gridkeeper_core.orders.risk_gate import Refused
from gridkeeper_core.orders.state import flat_position
from gridkeeper_core.record import GENESIS, Recorded, encode
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue import records as r
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill
from support.desk import Desk, cancel, fill, kinds, order, placed, venue_order
from support.story import SPEC

BUY = "tale/buy/4/0"
SELL = "tale/sell/5/0"
ETH = replace(SPEC, symbol="ETH-PERP", index=2)
BOTH = {"SOL-PERP": SPEC, "ETH-PERP": ETH}


def resting() -> Desk:
    """A desk whose order BUY rests as number 7."""
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7))
    return desk


class PlacesNothing(Desk):
    """The signer lets nothing pass that places, as while the venue rests."""

    rests = False

    def _sign(self, roll: r.Roll) -> r.Signed | None:
        return None if self.rests and roll.places else super()._sign(roll)


def test_a_cancel_goes_alone_where_what_is_placed_with_it_cannot_be_signed() -> None:
    desk = PlacesNothing()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7))
    desk.rests = True

    facts = desk.want(order(SELL, 106), unwanted=(BUY,))

    assert kinds(facts) == ["OrdersQueued", "TransactionSigned"]
    assert (desk.rolls[-1].cancel_order_ids, desk.rolls[-1].places) == ((7,), ())
    desk.rests = False
    assert kinds(desk.landed(cancel(7)))[-2:] == ["OrderAccepted", "TransactionSigned"]


class Remembered(PlacesNothing):
    """Keeps every decision as its log would hold it, with the input it came of."""

    def __init__(self) -> None:
        self.decisions: list[tuple[Input, list[Recorded]]] = []
        super().__init__()

    def take(self, item: Input) -> list[e.Fact]:
        drafts = self.machine.accept(item)
        group = [
            Recorded(
                stream=draft.stream,
                version=1,
                ts_ns=draft.ts_ns,
                cause=draft.cause,
                thread=draft.thread,
                prev=GENESIS,
                fact=draft.fact,
            )
            for draft in drafts
        ]
        self.decisions += [(item, group)] if group else []
        return [draft.fact for draft in drafts]


def test_a_cancel_that_went_alone_goes_alone_when_it_is_decided_again() -> None:
    desk = Remembered()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7))
    desk.rests = True
    assert kinds(desk.want(order(SELL, 106), unwanted=(BUY,))) == ["OrdersQueued", "TransactionSigned"]

    check = DecisionCheck("execution")
    for item, group in desk.decisions:
        cause = item.event if isinstance(item, EventSeen) else None
        price = item.price if isinstance(item, PriceTick) else None
        check.take(group, cause, price, [encode(event) for event in group])

    assert check.differences == []
    assert check.result().decisions == len(desk.decisions)


def bought(base_e9: int, quote_e6: int, fee_e6: int = -1_000) -> e.PositionState:
    position, _ = apply_fill(flat_position("SOL-PERP", 0), base_e9, -quote_e6)
    return apply_fee(position, fee_e6)


def test_a_fill_of_a_closed_order_is_not_booked_again_after_the_venue_was_adopted() -> None:
    # 0.4 of the order filled, then it was cancelled; both are confirmed and not final when a person adopts.
    desk = resting()
    desk.seen("f1", fill(7, 1, 0.4, 0.4), slot=101, finalized=False, ours=False)
    desk.want(unwanted=(BUY,))
    desk.landed(cancel(7), slot=102, finalized=False)
    part = bought(4 * E9 // 10, 41_600_000)
    assert desk.account.positions[0].base_e9 == part.base_e9
    desk.command(AdoptAccount())
    assert "AccountAdopted" in kinds(desk.read(positions=(part,), slot=105, cursor_slot=100))

    desk.seen("f1", fill(7, 1, 0.4, 0.4), slot=101, finalized=True, ours=False)

    assert desk.account.positions[0].base_e9 == part.base_e9
    assert not desk.account.differs


def test_a_month_without_interest_does_not_make_a_missing_hundred_interest() -> None:
    # At 100 percent a year, 10,000 earn at most 1.15 in the hour since they were last compared; 820 in a month.
    desk = resting()
    for hour in range(1, 721):
        desk.now_ns += 3600 * NS_PER_S
        desk.read(orders=(venue_order(7),), slot=100 + hour)

    facts = desk.read(deposit_e6=9_900 * E6, orders=(venue_order(7),), slot=1_000, keeps=True)

    assert kinds(facts) == ["DifferenceSuspected"]
    assert desk.account.deposit_e6 == 10_000 * E6


def test_a_deposit_that_differs_is_a_break_although_interest_moves_it_on() -> None:
    desk = resting()
    desk.now_ns += 3600 * NS_PER_S
    desk.read(deposit_e6=9_900 * E6, orders=(venue_order(7),), slot=110)
    desk.now_ns += NS_PER_S

    facts = desk.read(deposit_e6=9_900 * E6 + 16, orders=(venue_order(7),), slot=120)

    assert kinds(facts) == ["VenueDiffers"]
    desk.now_ns += NS_PER_S
    assert desk.read(deposit_e6=9_900 * E6 + 32, orders=(venue_order(7),), slot=130) == []


def eth(base_e9: int, quote_e6: int) -> e.PositionState:
    """A position that was opened after the first snapshot: no reading gave it a price."""
    return replace(flat_position("ETH-PERP", 2), base_e9=base_e9, quote_asset_e6=quote_e6, quote_entry_e6=quote_e6)


def test_what_a_short_elsewhere_was_sold_for_is_not_there_to_trade_with() -> None:
    # One ETH short at 3,000 on a deposit of 305: its margin is 300, and SOL needs 10.5 of the 5 that are left.
    account = replace(Desk(deposit_e6=305 * E6).account, positions={2: eth(-E9, 3_000 * E6)})
    prices = {"SOL-PERP": 105 * E6, "ETH-PERP": 3_000 * E6}

    verdict = Portfolio(account, BOTH, prices.get).review(order(BUY, 104), SPEC)

    assert isinstance(verdict, Refused)
    assert "equity 305000000 less 300000000 elsewhere" in verdict.detail


def test_what_a_long_elsewhere_cost_is_still_there() -> None:
    account = replace(Desk(deposit_e6=1_000 * E6).account, positions={2: eth(E9, -3_000 * E6)})
    prices = {"SOL-PERP": 105 * E6, "ETH-PERP": 3_000 * E6}

    assert not isinstance(Portfolio(account, BOTH, prices.get).review(order(BUY, 104), SPEC), Refused)


def test_orders_of_a_market_whose_price_is_not_known_count_at_their_own() -> None:
    desk = resting()
    one = desk.account.attempts[BUY]
    far = replace(one, intent_id="ether/buy/1/0", market="ETH-PERP", market_index=2, price_e6=2_900 * E6)
    limits = e.LimitsSet(max_gross_e6=2_950 * E6)
    account = replace(desk.account, attempts={far.intent_id: far}, limits=limits)

    verdict = Portfolio(account, BOTH, {"SOL-PERP": 105 * E6}.get).review(order(BUY, 104), SPEC)

    assert isinstance(verdict, Refused)
    assert verdict.code == "LIMIT_GROSS"


def test_more_orders_than_slots_leave_room_for_none() -> None:
    # 32 orders of ours rest, and two of somebody else's take slots that the venue freed before we heard of it.
    desk = Desk()
    for first in (0, 16):
        intents = [f"tale/buy/{cell}/0" for cell in range(first, first + 16)]
        desk.want(*(order(intent, 100) for intent in intents))
        flight = desk.account.in_flight
        assert flight is not None
        desk.landed(*(placed(desk, intent, 10 + int(intent.split("/")[2])) for intent in intents))
    own = tuple(replace(venue_order(10 + cell), price_e6=100 * E6) for cell in range(32))
    desk.read(orders=(*own, venue_order(90), venue_order(91)), slot=110)
    assert (len(desk.account.attempts), len(desk.account.foreign)) == (32, 2)

    assert kinds(desk.want(order("tale/sell/40/0", 106))) == ["OrdersQueued"]


def test_a_market_that_is_flat_and_settled_does_not_keep_the_others_from_being_settled() -> None:
    # SOL has 4 to settle; ETH was closed and settled, and the venue keeps no position of it.
    desk = Desk()
    won = replace(flat_position("SOL-PERP", 0), quote_asset_e6=4 * E6)
    for slot in (100, 101):
        desk.read(positions=(won,), slot=slot)
    desk.command(AdoptAccount())
    desk.read(positions=(won, flat_position("ETH-PERP", 2)), slot=102)
    assert set(desk.account.positions) == {0, 2}

    wanted = desk.command(SettleAccount())[0]

    assert isinstance(wanted, e.SettlementWanted)
    assert wanted.markets == (0,)


def test_an_orphan_whose_cancel_was_dropped_is_cancelled_once_more() -> None:
    # Its cancel landed with a cut log, fell out of the chain with a fork, and can never land again.
    desk = resting()
    desk.want(unwanted=(BUY,))
    cancelling = desk.account.in_flight
    assert cancelling is not None
    desk.landed(cancel(7), slot=101, finalized=False)
    desk.vanished(cancelling.signature)
    desk.take(TransactionGone(now_ns=desk.now_ns, alias="main", signature=cancelling.signature, block_height=151))
    desk.read(orders=(venue_order(7),), slot=105)
    again = desk.account.in_flight
    assert again is not None
    assert desk.rolls[-1].cancel_order_ids == (7,)
    desk.landed(slot=106, finalized=False, truncated=True)
    desk.vanished(again.signature)
    desk.take(TransactionGone(now_ns=desk.now_ns, alias="main", signature=again.signature, block_height=151))

    facts = desk.read(orders=(venue_order(7),), slot=110)

    assert "TransactionSigned" in kinds(facts)
    assert desk.rolls[-1].cancel_order_ids == (7,)
