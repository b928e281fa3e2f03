"""The event store on a real PostgreSQL: one commit, fences, and a lost answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.record import hash_of
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import STORE_LOST, EventStore, NewEvent
from support.proxy import lossy_proxy
from support.toy_machine import APP, account_log

pytestmark = pytest.mark.servers


def new_events(first: int, last: int) -> list[NewEvent]:
    log = account_log(last)[first - 1 :]
    return [NewEvent(stream=e.stream, version=e.version, topic="account.halted.v1", state=body) for e, body in log]


def step(app: str, previous: int, event_id: int) -> Position:
    return Position(app=app, previous=previous, id=event_id)


@pytest.fixture
def store(postgres_url: str) -> Iterator[EventStore]:
    store = opened(postgres_url)
    yield store
    store.close()


def opened(url: str) -> EventStore:
    store = EventStore(url, APP)
    store.create_tables()
    store.open()
    return store


def test_one_commit_holds_events_and_several_positions(store: EventStore) -> None:
    ids = store.append(new_events(1, 3), [step("execution_0", 0, 7), step("ledger_0", 0, 2)])

    assert [row.id for row in store.select(0, 10)] == ids
    assert [row.state for row in store.select(0, 10)] == [e.state for e in new_events(1, 3)]
    assert store.positions() == {"execution_0": 7, "ledger_0": 2}
    assert store.last_id == store.head_id() == ids[-1]


def test_positions_move_without_events(store: EventStore) -> None:
    assert store.append([], [step("execution_0", 0, 1)]) == []
    assert store.append([], [step("execution_0", 1, 5)]) == []

    assert store.position("execution_0") == 5
    assert store.position("nobody_0") == 0


@pytest.mark.parametrize(("previous", "event_id"), [(0, 4), (2, 4), (3, 2), (4, 5)])
def test_a_position_that_does_not_move_exactly_forward_leaves_no_event(
    store: EventStore, previous: int, event_id: int
) -> None:
    store.append([], [step("execution_0", 0, 3)])

    with pytest.raises(GridkeeperError) as caught:
        store.append(new_events(1, 1), [step("execution_0", previous, event_id)])

    assert caught.value.code == "FENCED"
    assert store.head_id() == 0
    assert store.position("execution_0") == 3


def test_a_taken_version_leaves_the_position_where_it_was(store: EventStore) -> None:
    store.append(new_events(1, 2))

    with pytest.raises(GridkeeperError) as caught:
        store.append(new_events(2, 3), [step("execution_0", 0, 1)])

    assert caught.value.code == "FENCED"
    assert store.positions() == {}
    assert len(store.select(0, 10)) == 2


def test_the_second_of_two_writers_is_fenced_also_on_another_stream(postgres_url: str, store: EventStore) -> None:
    second = opened(postgres_url)
    store.append(new_events(1, 1))
    other = [NewEvent(stream="account:other", version=1, topic="account.halted.v1", state=b"{}")]

    with pytest.raises(GridkeeperError) as caught:
        second.append(other)

    assert caught.value.code == "FENCED"
    assert [row.stream for row in store.select(0, 10)] == ["account:main"]
    second.close()


def test_a_copy_that_appends_the_very_same_bytes_is_fenced_too(postgres_url: str, store: EventStore) -> None:
    copy = opened(postgres_url)
    store.append(new_events(1, 2), [step("execution_0", 0, 1)])

    with pytest.raises(GridkeeperError) as caught:
        copy.append(new_events(1, 2), [step("execution_0", 0, 1)])

    assert caught.value.code == "FENCED"
    copy.close()


async def test_a_lost_commit_answer_is_recognised_as_success(postgres_url: str) -> None:
    async with lossy_proxy(postgres_url) as proxy:
        store = EventStore(proxy.url, APP)
        await asyncio.to_thread(store.create_tables)
        await asyncio.to_thread(store.open)
        proxy.lose_answer(b"COMMIT", b"COMMIT")

        with pytest.raises(STORE_LOST):
            await asyncio.to_thread(store.append, new_events(1, 2), [step("execution_0", 0, 1)])
        ids = await asyncio.to_thread(store.append, new_events(1, 2), [step("execution_0", 0, 1)])

        assert proxy.lost == 1
        rows = await asyncio.to_thread(store.select, 0, 10)
        assert [row.id for row in rows] == ids
        assert len(rows) == 2
        await asyncio.to_thread(store.close)


def test_heads_are_version_and_hash_of_the_stored_bytes(store: EventStore) -> None:
    events = new_events(1, 3)
    store.append(events)

    head = store.heads()["account:main"]

    assert (head.version, head.hash) == (3, hash_of(events[-1].state))


def test_a_stream_is_read_from_a_version_on(store: EventStore) -> None:
    store.append(new_events(1, 5))

    assert [row.version for row in store.stream("account:main", 3)] == [4, 5]


def test_many_may_create_the_tables_at_once(postgres_url: str) -> None:
    stores = [EventStore(postgres_url, APP) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(EventStore.create_tables, stores))

    stores[0].open()
    assert stores[0].append(new_events(1, 1))
    for store in stores:
        store.close()


def test_a_store_without_tables_says_what_to_do(postgres_url: str) -> None:
    store = EventStore(postgres_url, APP)

    with pytest.raises(GridkeeperError, match="migration"):
        store.open()
    store.close()


async def test_after_a_lost_answer_what_another_instance_wrote_is_not_taken_for_our_own(postgres_url: str) -> None:
    async with lossy_proxy(postgres_url) as proxy:
        store, other = EventStore(proxy.url, APP), await asyncio.to_thread(opened, postgres_url)
        await asyncio.to_thread(store.open)
        proxy.lose_answer(b"LOCK TABLE", b"")
        with pytest.raises(STORE_LOST):
            await asyncio.to_thread(store.append, new_events(1, 2), [step("execution_0", 0, 1)])
        await asyncio.to_thread(other.append, new_events(1, 2), [step("execution_0", 0, 2)])

        with pytest.raises(GridkeeperError) as caught:
            await asyncio.to_thread(store.append, new_events(1, 2), [step("execution_0", 0, 1)])

        assert caught.value.code == "FENCED"
        await asyncio.to_thread(store.close)
        await asyncio.to_thread(other.close)
