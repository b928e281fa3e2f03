"""The exactly-once loop with a real PostgreSQL: once, in order, chained, and refusing what it must."""

from __future__ import annotations

import asyncio
import time

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridFaulted, PriceSeen
from gridkeeper_core.inputs import Input, PriceTick
from gridkeeper_core.machine import Draft
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import GENESIS, decode, hash_of
from gridkeeper_eventlog.outbox import OutboxMessage
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import EventStore
from support.servers import eventually
from support.toy_machine import ECHO, PAUSE_NS, PRODUCER, account_log, pause, resume
from support.toy_service import RecordingPublisher, seen, step_to, toy_service

pytestmark = pytest.mark.servers


async def test_each_input_leads_to_its_own_events_in_order(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        outcomes = await service.feed(1, 250)

        assert [event.cause for outcome in outcomes for event in outcome] == service.machine.echoed
        assert service.machine.echoed == [f"account:main@{n}" for n in range(1, 251)]
        assert service.store.position(PRODUCER) == 250
        assert [e.identity for e in service.committed] == [f"{ECHO}@{n}" for n in range(1, 251)]


async def test_every_message_two_and_three_times_changes_nothing(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        for first, last in ((1, 20), (1, 20), (11, 30), (5, 30), (1, 40)):
            await service.feed(first, last)

        assert service.machine.echoed == [f"account:main@{n}" for n in range(1, 41)]
        assert len(service.store.select(0, 1_000)) == 40


async def test_a_gap_is_refused_and_nothing_is_recorded(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        await service.feed(1, 3)
        event, _ = account_log(5)[4]

        with pytest.raises(GridkeeperError) as caught:
            await service.processor.submit(seen(event), Position(app=PRODUCER, previous=4, id=5))

        assert caught.value.code == "EVENT_GAP"
        assert service.store.position(PRODUCER) == 3
        assert len(service.store.select(0, 10)) == 3


async def test_each_event_carries_the_hash_of_its_predecessors_stored_bytes(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        await service.feed(1, 30)
    async with toy_service(postgres_url) as service:
        await service.feed(31, 40)
        rows = service.store.stream(ECHO)

    prevs = [decode(row.state).prev for row in rows]
    assert prevs == [GENESIS, *(hash_of(row.state) for row in rows[:-1])]


async def test_a_restart_folds_the_same_state(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        await service.feed(1, 120)
        await service.processor.submit(pause("k1"))
        before, heads = service.machine.digests(), service.processor.journal.heads()

    async with toy_service(postgres_url) as service:
        assert service.machine.digests() == before
        assert service.processor.journal.heads() == heads == service.store.heads()
        assert service.processor.inbox.position(PRODUCER) == 120


async def test_a_repeated_command_repeats_its_answer_also_after_a_restart(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        first, again = await asyncio.gather(
            service.processor.submit(pause("k1")), service.processor.submit(pause("k1"))
        )
        assert first == again
    async with toy_service(postgres_url) as service:
        assert await service.processor.submit(pause("k1")) == first
        assert len(service.store.select(0, 10)) == 1


async def test_a_refused_command_changes_nothing_and_can_be_tried_again(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        with pytest.raises(GridkeeperError) as caught:
            await service.processor.submit(resume("k1"))
        assert caught.value.code == "GRID_STATE"
        assert service.store.head_id() == 0

        await service.processor.submit(pause("k2"))
        assert len(await service.processor.submit(resume("k1"))) == 1


async def test_a_deadline_is_delivered_before_the_input_that_passes_it(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        await service.processor.submit(pause("k1", now_ns=5))
        service.now_ns = 10 * PAUSE_NS

        await service.processor.submit(pause("k2", "grid:two", now_ns=service.now_ns))

        assert [(e.stream, e.ts_ns) for e in service.committed[:2]] == [("grid:one", 5), ("grid:one", 5 + PAUSE_NS)]
        assert service.committed[1].cause == f"wake:{5 + PAUSE_NS}"


async def test_on_a_tape_a_deadline_comes_when_the_clock_is_moved(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        await service.processor.submit(pause("k1", now_ns=5))
        assert service.processor.is_idle

        service.now_ns = 5 + PAUSE_NS
        assert not service.processor.is_idle
        service.processor.clock_moved()

        await eventually(lambda: len(service.committed) == 2)
        assert service.committed[1].ts_ns == 5 + PAUSE_NS


async def test_live_a_deadline_comes_by_itself(postgres_url: str) -> None:
    async with toy_service(postgres_url, is_tape=False) as service:
        started = time.monotonic_ns()
        service.processor._clock = lambda: time.monotonic_ns() - started

        await service.processor.submit(pause("k1", now_ns=1))

        await eventually(lambda: len(service.committed) == 2)


async def test_time_never_goes_backwards_for_the_machine(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        await service.processor.submit(pause("k1", "grid:one", now_ns=1_000))
        await service.processor.submit(pause("k2", "grid:two", now_ns=10))

        assert [e.ts_ns for e in service.committed] == [1_000, 1_000]
    async with toy_service(postgres_url) as service:
        (event,) = await service.processor.submit(pause("k3", "grid:three", now_ns=20))
        assert event.ts_ns == 1_000


async def test_of_waiting_prices_only_the_newest_of_each_market_is_looked_at(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        futures = [service.processor.offer(tick("SOL-PERP", n, 1_000 + n)) for n in range(1, 6)]
        futures.append(service.processor.offer(tick("BTC-PERP", 1, 2_000)))
        outcomes = await asyncio.gather(*futures)

        seen_prices = [e.fact.price for e in service.committed if isinstance(e.fact, PriceSeen)]
        assert [(p.market, p.source_seq) for p in seen_prices] == [("SOL-PERP", 5), ("BTC-PERP", 1)]
        assert [len(o) for o in outcomes] == [0, 0, 0, 0, 1, 1]
        assert service.processor.passed_over == {"SOL-PERP": 4}
        assert len(await service.processor.submit(tick("SOL-PERP", 6, 3_000))) == 1


async def test_poison_ends_the_service_and_is_not_recorded(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        event, _ = account_log(1, poison_at=1)[0]

        with pytest.raises(ValueError, match="poison"):
            await service.processor.submit(seen(event), Position(app=PRODUCER, previous=0, id=1))
        with pytest.raises(ValueError, match="poison"):
            await service.running[0]
        assert service.store.positions() == {}
        with pytest.raises(GridkeeperError, match="SERVICE_SILENT"):
            await service.processor.submit(pause("k1"))


async def test_what_came_before_poison_is_recorded_and_after_a_restart_it_is_tried_alone(postgres_url: str) -> None:
    log = account_log(5, poison_at=4)
    for left in (log, log[3:]):
        async with toy_service(postgres_url) as service:
            outcomes = [service.processor.offer(seen(event), step_to(event)) for event, _ in left]
            with pytest.raises(ValueError, match="poison"):
                await service.running[0]

            assert [outcome.exception() is None for outcome in outcomes] == [e.version < 4 for e, _ in left]
            assert service.store.position(PRODUCER) == 3
            assert [row.version for row in service.store.stream(ECHO)] == [1, 2, 3]


async def test_poison_that_can_be_attributed_becomes_a_fact_and_the_rest_goes_on(postgres_url: str) -> None:
    def fault(item: Input, error: Exception) -> list[Draft] | None:
        fact = GridFaulted(at_cause="account:main@1", detail=repr(error))
        return [Draft(stream="grid:one", ts_ns=item.now_ns, cause="account:main@1", thread="", fact=fact)]

    async with toy_service(postgres_url, on_poison=fault) as service:
        event, _ = account_log(1, poison_at=1)[0]
        (faulted,) = await service.processor.submit(seen(event), Position(app=PRODUCER, previous=0, id=1))
        await service.feed(2, 3)

        assert isinstance(faulted.fact, GridFaulted)
        assert service.store.position(PRODUCER) == 3


async def test_the_second_of_two_services_is_fenced_and_ends(postgres_url: str) -> None:
    async with toy_service(postgres_url) as first, toy_service(postgres_url) as second:
        await first.feed(1, 5)

        with pytest.raises(GridkeeperError) as caught:
            await second.feed(1, 5)
        with pytest.raises(GridkeeperError, match="FENCED"):
            await second.running[0]

        assert caught.value.code == "FENCED"
        await first.feed(6, 10)
        assert first.machine.echoed == [f"account:main@{n}" for n in range(1, 11)]
        assert len(first.store.select(0, 100)) == 10


async def test_the_outbox_publishes_each_event_once_and_goes_on_after_a_restart(postgres_url: str) -> None:
    publisher = RecordingPublisher()
    async with toy_service(postgres_url, publisher=publisher) as service:
        await service.feed(1, 250)
        await eventually(lambda: len(publisher.messages) == 250)
    async with toy_service(postgres_url, publisher=publisher) as service:
        assert service.outbox is not None
        await service.feed(251, 260)
        await eventually(lambda: len(publisher.messages) == 260)
        rows = service.store.select(0, 1_000)
        await eventually(lambda: service.outbox is not None and service.outbox.lag == 0)

    assert [(m.id, m.body) for m in publisher.messages] == [(row.id, row.state) for row in rows]
    assert [m.prev_id for m in publisher.messages] == [0, *(row.id for row in rows[:-1])]


async def test_the_outbox_waits_while_there_is_no_room_and_loses_nothing(postgres_url: str) -> None:
    publisher = RecordingPublisher()
    publisher.is_full = True
    async with toy_service(postgres_url, publisher=publisher) as service:
        assert service.outbox is not None
        await service.feed(1, 5)
        await eventually(lambda: service.outbox is not None and "EV_FULL" in service.outbox.not_ready_reason)

        publisher.is_full = False
        await eventually(lambda: len(publisher.messages) == 5)
        assert service.outbox.ready


async def test_a_stopped_outbox_still_publishes_what_was_committed_while_it_published(postgres_url: str) -> None:
    publisher = SlowPublisher()
    async with toy_service(postgres_url, publisher=publisher) as service:
        assert service.outbox is not None
        await service.feed(1, 1)
        await publisher.has_begun.wait()
        await service.feed(2, 5)
        service.outbox.stop()
        publisher.may_go_on.set()
        await service.running[1]

        assert len(publisher.messages) == 5


async def test_an_outbox_publishes_only_what_its_own_process_knows(postgres_url: str) -> None:
    publisher, others_publisher = RecordingPublisher(), RecordingPublisher()
    async with (
        toy_service(postgres_url, publisher=publisher) as service,
        toy_service(postgres_url, publisher=others_publisher) as other,
    ):
        await eventually(lambda: other.outbox is not None and other.outbox.ready)
        await service.feed(1, 5)
        await eventually(lambda: len(publisher.messages) == 5)
        assert other.outbox is not None

        assert not await other.outbox._publish_some()
        assert others_publisher.messages == []


async def test_an_event_store_older_than_what_was_published_is_refused(postgres_url: str) -> None:
    publisher = RecordingPublisher()
    async with toy_service(postgres_url, publisher=publisher) as service:
        await service.feed(1, 5)
        await eventually(lambda: len(publisher.messages) == 5)
        await asyncio.to_thread(_forget_newest, service.store)

    async with toy_service(postgres_url, publisher=publisher) as service:
        with pytest.raises(GridkeeperError) as caught:
            await service.running[1]
    assert caught.value.code == "STORE_BEHIND_EV"


class SlowPublisher(RecordingPublisher):
    """Publishes nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def publish(self, batch: list[OutboxMessage]) -> None:
        self.has_begun.set()
        await self.may_go_on.wait()
        await super().publish(batch)


def _forget_newest(store: EventStore) -> None:
    with store._connection() as connection:
        connection.execute("DELETE FROM strategy_0.strategy_0_events WHERE notification_id = 5")


def tick(market: str, seq: int, oracle_e6: int) -> PriceTick:
    price = Price(market=market, source="test", source_seq=seq, ts_ns=seq, oracle_e6=oracle_e6)
    return PriceTick(now_ns=seq, price=price)


async def test_stopping_answers_what_is_committed_and_leaves_the_rest_for_the_next_time(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        await service.feed(1, 3)
        service.processor.stop()
        await service.running[0]

        with pytest.raises(GridkeeperError, match="SERVICE_SILENT"):
            await service.processor.submit(pause("k1"))
    async with toy_service(postgres_url) as service:
        await service.feed(1, 5)
        assert service.machine.echoed == [f"account:main@{n}" for n in range(1, 6)]


async def test_a_machine_that_never_lets_go_of_a_deadline_is_stopped(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service:
        service.machine.next_wake_ns = lambda: 1  # type: ignore[method-assign]
        service.processor.clock_moved()

        with pytest.raises(RuntimeError, match="deadline"):
            await service.running[0]
