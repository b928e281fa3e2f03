"""Making EV anew from PostgreSQL: every event once, none before its cause."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import AccountHalted, GridPaused
from gridkeeper_core.record import GENESIS, Recorded, decode, encode, hash_of, topic_of
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import OutboxMessage
from gridkeeper_eventlog.rebuild import rebuild
from gridkeeper_eventlog.store import EventStore, NewEvent
from support.toy_service import RecordingPublisher

pytestmark = pytest.mark.servers


class SharedStream:
    """What two publishers published, in one order."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []


class OrderedPublisher(RecordingPublisher):
    def __init__(self, shared: SharedStream) -> None:
        super().__init__()
        self._shared = shared

    async def publish(self, batch: list[OutboxMessage]) -> None:
        await super().publish(batch)
        self._shared.bodies += [message.body for message in batch]


def new_event(stream: str, version: int, cause: str, prev: str) -> tuple[NewEvent, str]:
    fact: AccountHalted | GridPaused = (
        AccountHalted(author="", reason="")
        if stream.startswith("account:")
        else GridPaused(code="ECHO", author="", reason="")
    )
    event = Recorded(stream=stream, version=version, ts_ns=1, cause=cause, thread="", prev=prev, fact=fact)
    body = encode(event)
    return NewEvent(stream=stream, version=version, topic=topic_of(fact), state=body), hash_of(body)


def fill(store: EventStore, stream: str, causes: list[str]) -> None:
    prev, events = GENESIS, []
    for version, cause in enumerate(causes, start=1):
        event, prev = new_event(stream, version, cause, prev)
        events.append(event)
    store.append(events)


@pytest.fixture
def stores(postgres_url: str) -> Iterator[tuple[EventStore, EventStore]]:
    pair = (EventStore(postgres_url, "strategy_0"), EventStore(postgres_url, "execution_0"))
    for store in pair:
        store.create_tables()
        store.open()
    yield pair
    for store in pair:
        store.close()


async def test_no_effect_comes_before_its_cause_and_each_log_keeps_its_order(
    stores: tuple[EventStore, EventStore],
) -> None:
    strategy, execution = stores
    # Ping-pong: each grid event but the first is caused by the account's last one, and the other way round.
    fill(strategy, "grid:x", ["cmd:k", *(f"account:main@{n}" for n in range(1, 150))])
    fill(execution, "account:main", [f"grid:x@{n}" for n in range(1, 151)])
    shared = SharedStream()
    logs = [(store, OrderedPublisher(shared)) for store in (execution, strategy)]

    published = await rebuild(logs, DbThread())

    assert published == {"strategy_0": 150, "execution_0": 150}
    out: set[str] = set()
    for event in map(decode, shared.bodies):
        assert "@" not in event.cause or event.cause in out
        out.add(event.identity)
    for store, publisher in logs:
        rows = await asyncio.to_thread(store.select, 0, 1_000)
        assert [(m.id, m.body) for m in publisher.messages] == [(row.id, row.state) for row in rows]


async def test_a_rebuild_that_was_broken_off_goes_on_where_it_was(stores: tuple[EventStore, EventStore]) -> None:
    _, execution = stores
    fill(execution, "account:main", [""] * 10)
    publisher = RecordingPublisher()
    await rebuild([(execution, publisher)], DbThread())
    del publisher.messages[4:]

    assert await rebuild([(execution, publisher)], DbThread()) == {"execution_0": 6}
    assert [m.id for m in publisher.messages] == list(range(1, 11))


async def test_a_cause_that_no_log_holds_is_said(stores: tuple[EventStore, EventStore]) -> None:
    strategy, execution = stores
    fill(strategy, "grid:x", ["account:main@7"])

    with pytest.raises(GridkeeperError) as caught:
        await rebuild([(strategy, RecordingPublisher()), (execution, RecordingPublisher())], DbThread())

    assert caught.value.code == "EVENT_GAP"


async def test_a_cause_in_a_log_that_is_not_rebuilt_is_not_waited_for(stores: tuple[EventStore, EventStore]) -> None:
    strategy, _ = stores
    fill(strategy, "grid:x", ["account:main@7"])

    assert await rebuild([(strategy, RecordingPublisher())], DbThread()) == {"strategy_0": 1}
