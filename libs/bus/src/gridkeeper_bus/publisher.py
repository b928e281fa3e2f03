"""Publishes one service's log on EV: atomic batches behind a fence, each event exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import nats.errors
import nats.js.errors
from nats.js.api import Header, PubAck, RawStreamMsg
from nats.nuid import NUID

from gridkeeper_bus.connection import Bus
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError

HEADER_WRITER = "Es-Writer"
"""Names the process that published: its own late batch is not a second instance."""
HEADER_FENCE_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
ACK_TIMEOUT_S = 5.0

_WRONG_LAST_SEQUENCE = 10071
_DUPLICATE_IN_BATCH = 10201
_NO_ROOM = (10077, 10047, 10023)


class Message(Protocol):
    """An event to publish, as the outbox hands it over."""

    @property
    def id(self) -> int: ...
    @property
    def prev_id(self) -> int: ...
    @property
    def stream(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class JetStreamPublisher:
    """The only writer of `ev.<shard>.<service>.>`; a second one is refused by the fence."""

    def __init__(self, bus: Bus, *, service: str, shard: int = 0, ack_timeout_s: float = ACK_TIMEOUT_S) -> None:
        self.app = names.app_name(service, shard)
        self._bus = bus
        self._service = service
        self._shard = shard
        self._scope = names.writer_subjects(shard, service)
        self._nuid = NUID()
        self._writer = self._nuid.next().decode()
        self._fence: int | None = None
        self._ack_timeout_s = ack_timeout_s

    async def last_published(self) -> int:
        """Id of this service's newest event on EV; 0 for none. Also sets the fence to it.

        Raises GridkeeperError STORE_LOST when the bus cannot tell.
        """
        last = await self._last()
        self._fence = 0 if last is None else last.seq
        return _id_of(last)

    async def publish(self, batch: Sequence[Message]) -> None:
        """All of it or none. Raises GridkeeperError FENCED, EV_FULL, or STORE_LOST when the outcome is unknown; then
        ask `last_published`.
        """
        if self._fence is None:
            await self.last_published()
        try:
            ack = await self._send(batch)
        except nats.js.errors.APIError as error:
            await self._explain(error, batch[-1].id)
            return
        except (nats.errors.Error, TimeoutError) as error:
            self._fence = None
            raise _lost(error) from error
        if ack.duplicate:
            self._fence = None
            raise GridkeeperError("STORE_LOST", field="NATS", detail="The event was published before.")
        self._fence = ack.seq

    async def _send(self, batch: Sequence[Message]) -> PubAck:
        client, js = self._bus.client, self._bus.js
        batch_id = self._nuid.next().decode()
        for sequence, message in enumerate(batch, start=1):
            headers = self._headers(message)
            if sequence == 1:
                headers[Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value] = str(self._fence)
                headers[HEADER_FENCE_SUBJECT] = self._scope
            if len(batch) > 1:
                headers[Header.BATCH_ID.value] = batch_id
                headers[Header.BATCH_SEQUENCE.value] = str(sequence)
            subject = names.event_subject(self._shard, self._service, message.stream, message.topic)
            if sequence < len(batch):
                await client.publish(subject, message.body, headers=headers)
                continue
            if len(batch) > 1:
                headers[Header.BATCH_COMMIT.value] = "1"
            return await js.publish(subject, message.body, headers=headers, timeout=self._ack_timeout_s)
        raise AssertionError("a batch holds at least one message")

    def _headers(self, message: Message) -> dict[str, str]:
        return {
            names.HEADER_APP: self.app,
            names.HEADER_ID: str(message.id),
            names.HEADER_PREVIOUS: str(message.prev_id),
            names.HEADER_MSG_ID: f"{self.app}:{message.id}",
            HEADER_WRITER: self._writer,
        }

    async def _explain(self, error: nats.js.errors.APIError, last_id: int) -> None:
        """Return when the batch is on EV after all; else raise what the refusal means."""
        self._fence = None
        if error.err_code in _NO_ROOM:
            raise GridkeeperError("EV_FULL", field=self.app, value=last_id) from error
        if error.err_code not in (_WRONG_LAST_SEQUENCE, _DUPLICATE_IN_BATCH):
            raise _lost(error) from error
        last = await self._last()
        if last is None or (last.headers or {}).get(HEADER_WRITER) != self._writer:
            raise GridkeeperError("FENCED", field="EV", value=self.app, detail=str(error.description)) from error
        if _id_of(last) != last_id:
            raise _lost(error) from error
        self._fence = last.seq

    async def _last(self) -> RawStreamMsg | None:
        try:
            # Not `direct`: a replica that is behind would answer with an older message.
            return await self._bus.js.get_last_msg(names.EV_STREAM, self._scope, direct=False)
        except nats.js.errors.NotFoundError as error:
            if error.err_code == _NO_MESSAGE:
                return None
            raise _lost(error) from error
        except (nats.errors.Error, TimeoutError) as error:
            raise _lost(error) from error


_NO_MESSAGE = 10037


def _id_of(message: RawStreamMsg | None) -> int:
    return 0 if message is None else int((message.headers or {})[names.HEADER_ID])


def _lost(error: Exception) -> GridkeeperError:
    return GridkeeperError("STORE_LOST", field="NATS", detail=str(error) or type(error).__name__)
