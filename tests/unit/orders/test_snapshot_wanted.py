"""A proof ends with a snapshot that is taken for it, however young the last one is."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.audit.rebuilt import rebuilt
from gridkeeper_core.inputs import AccountRead
from gridkeeper_core.record import Recorded
from support.desk import Desk


def snapshots(facts: list[e.Fact]) -> list[int]:
    return [fact.slot for fact in facts if isinstance(fact, e.AccountSnapshot)]


def test_a_reading_keeps_a_snapshot_where_one_is_wanted_and_else_once_an_hour() -> None:
    desk = Desk()
    desk.read(slot=120)
    assert snapshots(desk.read(slot=130)) == []
    assert snapshots(desk.read(slot=140, keeps=True)) == [140]
    assert snapshots(desk.read(slot=150)) == []


def test_that_a_snapshot_was_wanted_is_restated_with_the_reading() -> None:
    desk = Desk()
    desk.read(slot=120)
    desk.read(slot=140, keeps=True)
    met = next(fact for fact in reversed(desk.met) if isinstance(fact, e.AccountMet))
    event = Recorded(
        stream="tx:main", version=1, ts_ns=desk.now_ns, cause="read:main:140", thread="", prev="", fact=met
    )
    again = rebuilt([event], None, None)
    assert isinstance(again, AccountRead)
    assert (again.account.slot, again.keeps) == (140, True)
