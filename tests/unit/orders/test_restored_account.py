"""An account that was only restored is left alone until execution has booted it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.inputs import AccountBooted, AdoptAccount, EventSeen, SettleAccount
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue import records as r
from support.desk import Desk, cancel, fill, order, placed, venue_order

MINUTE_NS = 60 * NS_PER_S


def unsigned(roll: r.Roll) -> r.Signed | None:
    raise AssertionError(f"{roll} is signed before the chain was read")


def restored(desk: Desk) -> ExecutionMachine:
    """A machine that has read what the desk recorded, and nothing else."""
    machine = ExecutionMachine(unsigned)
    for fact, stream in zip(desk.facts, desk.streams, strict=True):
        machine.restore(
            Recorded(stream=stream, version=1, ts_ns=desk.now_ns, cause="", thread="", prev=GENESIS, fact=fact)
        )
    return machine


def test_an_order_whose_life_ended_meanwhile_wakes_nobody_before_the_boot() -> None:
    desk = Desk()
    desk.want(msgspec.structs.replace(order("tale/buy/3/0", 103), lasts_ns=MINUTE_NS))
    desk.landed(placed(desk, "tale/buy/3/0", 7))
    machine = restored(desk)
    assert machine.digests() == desk.machine.digests()
    assert desk.machine.next_wake_ns() is not None
    assert machine.next_wake_ns() is None
    booted = machine.accept(AccountBooted(now_ns=desk.now_ns + 2 * MINUTE_NS, alias="main"))
    assert [draft.fact for draft in booted] == [e.AccountRecovering(why="boot")]
    assert machine.next_wake_ns() is None


def test_an_account_that_was_never_booted_signs_nothing() -> None:
    desk = Desk()
    desk.want(order("tale/buy/3/0", 103))
    desk.landed(placed(desk, "tale/buy/3/0", 7))
    machine = restored(desk)
    wanted = e.OrdersWanted(
        account="main",
        market="SOL-PERP",
        unwanted=(e.UnwantedOrder(intent_id="tale/buy/3/0", why="window"),),
        wanted=(),
        rolled=False,
        reference_e6=105 * 10**6,
        price_seq=0,
    )
    event = Recorded(stream="grid:tale", version=9, ts_ns=desk.now_ns, cause="", thread="", prev=GENESIS, fact=wanted)
    drafts = machine.accept(EventSeen(now_ns=desk.now_ns, event=event))
    assert [type(draft.fact) for draft in drafts] == [e.OrdersQueued]


def eventful() -> Desk:
    """A life with a guard, a warning, a foreign order, a settlement, a fill and a cancel undone, an orphan, a break."""
    desk = Desk(rules=AccountRules(watches_sol=True, watches_clock=True))
    buy, sell = "tale/buy/4/0", "tale/sell/5/0"
    desk.want(order(buy, 104), order(sell, 106))
    desk.landed(placed(desk, buy, 7), replace(placed(desk, sell, 8), index=1), finalized=False)
    desk.seen("k1", fill(7, 1, 1.0, 1.0), finalized=False, ours=False)
    desk.command(SettleAccount())
    desk.landed(r.SettleRecord(index=0, market_index=0, quote_e6=500), finalized=False)
    desk.vanished("k1")
    desk.want(unwanted=(sell,))
    desk.landed(cancel(8), finalized=False)
    desk.vanished(desk.facts[-1].signature if hasattr(desk.facts[-1], "signature") else "s3")
    desk.market(status="paused")
    sleeping = replace(venue_order(8), side="sell", price_e6=106 * E6)
    desk.read(slot=300, orders=(sleeping, venue_order(50, user_order_id=9)), lamports=50_000_000)
    desk.read(slot=301, orders=(sleeping,), block_time_s=desk.now_ns // NS_PER_S + 60)
    desk.command(AdoptAccount())
    desk.read(slot=302, orders=(sleeping,), cursor_slot=200)
    return desk


def test_whatever_happened_the_record_alone_gives_the_same_account() -> None:
    desk = eventful()
    machine = restored(desk)
    assert machine.account("main") == desk.account
    assert len({type(fact) for fact in desk.facts}) > 20
