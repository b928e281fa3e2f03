"""An account that was only restored is left alone until execution has booted it."""

from __future__ import annotations

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.inputs import AccountBooted, EventSeen
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue import records as r
from support.desk import Desk, order, placed

MINUTE_NS = 60 * NS_PER_S


def unsigned(roll: r.Roll) -> r.Signed | None:
    raise AssertionError(f"{roll} is signed before the chain was read")


def restored(desk: Desk) -> ExecutionMachine:
    """A machine that has read what the desk recorded, and nothing else."""
    machine = ExecutionMachine(unsigned)
    for fact in desk.facts:
        stream = "market:drift:0" if isinstance(fact, e.MarketSeen) else "account:main"
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
