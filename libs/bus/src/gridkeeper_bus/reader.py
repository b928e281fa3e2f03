"""Reads other services' events from EV in order, from the first one not taken yet, through every kind of outage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.starting_point import first_unknown
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import NS_PER_S

ASK_MESSAGES = 1_000
EXPIRES_S = 30
HEARTBEAT_S = 1
SILENCE_S_MAX = 3.0
RETRY_S = 0.2
PATIENCE_S = 30.0
FORGOTTEN_AFTER_S = 60.0


class BusMessage(msgspec.Struct, frozen=True, gc=False):
    """An event from EV. `id` and `prev` are of the producer's log; `sequence` is EV's; `body` is what is stored."""

    app: str
    id: int
    prev: int
    subject: str
    sequence: int
    body: bytes


class FlowBrokenError(Exception):
    """The consumer on the server cannot be trusted any more; a new one has to be made."""


class EventReader:
    """One reader per service. `producers` are (service, shard); `positions` are app -> id of the last event taken.

    May deliver again what was taken (the inbox drops it), never leaves anything out. A stream that was deleted and
    made anew is read from where the positions say.
    """

    def __init__(
        self,
        bus: Bus,
        producers: Sequence[tuple[str, int]],
        positions: Mapping[str, int],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.not_ready_reason = "Not started."
        self._bus = bus
        self._scopes = {names.app_name(s, shard): names.writer_subjects(shard, s) for s, shard in producers}
        self._positions = {app: positions.get(app, 0) for app in self._scopes}
        self._patience_s = patience_s
        self._flow: _Flow | None = None
        self._last_good_s = asyncio.get_running_loop().time()

    @property
    def ready(self) -> bool:
        """Whether events flow; `not_ready_reason` says why not."""
        return not self.not_ready_reason

    @property
    def pending(self) -> int:
        """How many events lie on EV that were not delivered yet, as the newest delivery said."""
        return 0 if self._flow is None else self._flow.pending

    async def __aiter__(self) -> AsyncIterator[BusMessage]:
        while True:
            for message in await self.next_batch():
                yield message

    async def next_batch(self) -> list[BusMessage]:
        """What has arrived, at least one message. Raises GridkeeperError STORE_LOST after the patience."""
        while True:
            try:
                if self._flow is None:
                    self._flow = await self._begin()
                batch = await self._flow.take()
            except (FlowBrokenError, nats.errors.Error, TimeoutError) as error:
                await self.close()
                self._judge(error)
                await asyncio.sleep(RETRY_S)
                continue
            if batch:
                self._advance(batch)
                return batch
            self._good()

    async def close(self) -> None:
        """Give the consumer up."""
        flow, self._flow = self._flow, None
        if flow is not None:
            await flow.end()

    async def _begin(self) -> _Flow:
        last_sequence = (await self._bus.js.stream_info(names.EV_STREAM)).state.last_seq
        starts = [
            await first_unknown(self._bus, scope, self._positions[app], last_sequence)
            for app, scope in self._scopes.items()
        ]
        flow = _Flow(self._bus)
        try:
            await flow.begin(min(starts, default=last_sequence + 1), list(self._scopes.values()))
        except BaseException:
            await flow.end()  # it is tried five times a second: what is half made must not pile up
            raise
        self._good()
        return flow

    def _advance(self, batch: list[BusMessage]) -> None:
        for message in batch:
            self._positions[message.app] = max(message.id, self._positions.get(message.app, 0))
        self._good()

    def _good(self) -> None:
        self._last_good_s = asyncio.get_running_loop().time()
        self.not_ready_reason = ""

    def _judge(self, error: Exception) -> None:
        self.not_ready_reason = f"EV cannot be read: {error or type(error).__name__}"
        if asyncio.get_running_loop().time() - self._last_good_s >= self._patience_s:
            raise GridkeeperError("STORE_LOST", field="NATS", detail=self.not_ready_reason) from error


class _Flow:
    """One ephemeral pull consumer, from its making until anything is amiss."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._arrived: list[Msg] = []
        self._signal = asyncio.Event()
        self._broken = ""
        self._asked = 0
        self._next_delivery = 1
        self.pending = 0
        self._subscription: Subscription | None = None
        self._inbox = bus.client.new_inbox()
        self._ask_subject = ""

    async def begin(self, start_sequence: int, subjects: list[str]) -> None:
        self._bus.reconnect_listeners.append(self._on_reconnect)
        self._subscription = await self._bus.client.subscribe(self._inbox, cb=self._on_message)
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=max(1, start_sequence),
            ack_policy=AckPolicy.NONE,
            filter_subjects=subjects,
            inactive_threshold=FORGOTTEN_AFTER_S,
            mem_storage=True,
            num_replicas=1,
        )
        info = await self._bus.js.add_consumer(names.EV_STREAM, config)
        self._ask_subject = f"$JS.API.CONSUMER.MSG.NEXT.{names.EV_STREAM}.{info.name}"

    async def take(self) -> list[BusMessage]:
        """What has arrived; empty after a heartbeat without messages. Raises FlowBrokenError."""
        await self._ask_for_more()
        if not self._arrived and not self._broken:
            self._signal.clear()
            try:
                async with asyncio.timeout(SILENCE_S_MAX):
                    await self._signal.wait()
            except TimeoutError as e:
                raise FlowBrokenError("no heartbeat") from e
        arrived, self._arrived = self._arrived, []
        batch = [self._read(message) for message in arrived]
        if arrived:
            self.pending = _pending(arrived[-1].reply)
        if not batch and self._broken:
            raise FlowBrokenError(self._broken)
        return batch

    async def end(self) -> None:
        self._bus.reconnect_listeners.remove(self._on_reconnect)
        if self._subscription is not None and not self._bus.client.is_closed:
            await self._subscription.unsubscribe()

    async def _ask_for_more(self) -> None:
        if self._asked > ASK_MESSAGES // 2 or self._broken:
            return
        ask = {
            "batch": ASK_MESSAGES,
            "expires": EXPIRES_S * NS_PER_S,
            "idle_heartbeat": HEARTBEAT_S * NS_PER_S,
        }
        self._asked += ASK_MESSAGES
        await self._bus.client.publish(self._ask_subject, json.dumps(ask).encode(), reply=self._inbox)

    async def _on_message(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            self._asked -= 1
            self._arrived.append(message)
        elif status == "408":
            self._asked -= int((message.headers or {}).get("Nats-Pending-Messages", 0))
        elif status != "100":
            self._broken = (message.headers or {}).get("Description", status)
        self._signal.set()

    def _on_reconnect(self) -> None:
        self._broken = "the connection was lost"
        self._signal.set()

    def _read(self, message: Msg) -> BusMessage:
        sequence, delivery = _sequences(message.reply)
        if delivery != self._next_delivery:
            raise FlowBrokenError(f"message {self._next_delivery} of the consumer is missing")
        self._next_delivery += 1
        headers = message.headers or {}
        return BusMessage(
            headers[names.HEADER_APP],
            int(headers[names.HEADER_ID]),
            int(headers[names.HEADER_PREVIOUS]),
            message.subject,
            sequence,
            message.data,
        )


def _sequences(reply: str) -> tuple[int, int]:
    """EV's sequence and the consumer's own, from the reply subject; its older form has nine parts."""
    parts = reply.split(".")
    at = 5 if len(parts) == 9 else 7
    return int(parts[at]), int(parts[at + 1])


def _pending(reply: str) -> int:
    """How many messages the consumer has yet to deliver, from the same subject."""
    parts = reply.split(".")
    return int(parts[8 if len(parts) == 9 else 10])
