"""Makes the decisions of every service again, finding the events they were made on in the other logs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import TypeAlias

import msgspec

from gridkeeper_cli.record_source import RecordSource, Stored
from gridkeeper_core.audit.decisions import DECIDERS, Decider, DecisionCheck, LogDecisions
from gridkeeper_core.audit.envelope import envelope_of, identity
from gridkeeper_core.audit.rebuilt import cause_service, input_of, restates_input
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import PriceSeen
from gridkeeper_core.prices.price import Price, price_cause
from gridkeeper_core.record import Recorded, decode

_PRICE_TOPIC = "grid.price_seen.v1"
_PRICES_KEPT = 10_000

_Group: TypeAlias = tuple[list[Recorded], list[bytes]]
"""The events of one decision, and their stored bytes."""


class DecisionReport(msgspec.Struct, frozen=True, kw_only=True):
    """Every log whose decisions were made again."""

    logs: tuple[LogDecisions, ...]

    @property
    def ok(self) -> bool:
        """Whether every decision came out as it was recorded."""
        return not any(log.differences for log in self.logs)

    @property
    def error(self) -> GridkeeperError:
        """What to tell the user; the first difference is named."""
        found = [difference for log in self.logs for difference in log.differences]
        return GridkeeperError(
            "REPLAY_DIFFERS",
            field=found[0].event,
            value=found[0].cause,
            detail=found[0].sentence,
            do="Where the release changed since, look whether the change was meant; else report it.",
        )


async def decide_again(source: RecordSource, *, is_whole: bool = True) -> DecisionReport:
    """Strategy, execution, ledger and notifier, each from its first event to its last.

    Who is told of what hangs on all that happens, so of a record that is not whole the notifier's are left out.
    """
    deciders = [service for service in DECIDERS if is_whole or service != "notifier"]
    return DecisionReport(logs=tuple([await _log(source, service) for service in deciders]))


async def _log(source: RecordSource, service: Decider) -> LogDecisions:
    check = DecisionCheck(service)
    async with AsyncExitStack() as stack:
        causes = _Causes(source, stack, check)
        own = await stack.enter_async_context(aclosing(source.events(service)))
        done = 0
        async for group, bodies in _decisions(own):
            cause, price = await causes.of(group[0].cause)
            known = len(check.differences)
            check.take(group, cause, price, bodies)
            done += len(group)
            if check.is_over:
                break
            if len(check.differences) > known:
                await _fold_again(source, check, done)
    return check.result()


async def _fold_again(source: RecordSource, check: DecisionCheck, count: int) -> None:
    check.begin_again()
    async with aclosing(source.events(check.service)) as events:
        async for stored in events:
            if count == 0:
                return
            check.fold(decode(stored.body))
            count -= 1


async def _decisions(stored: AsyncGenerator[Stored, None]) -> AsyncGenerator[_Group, None]:
    """Neighbouring events of one cause and one moment are one decision; a restated input begins another."""
    group: list[Recorded] = []
    bodies: list[bytes] = []
    async for one in stored:
        event = decode(one.body)
        is_other = bool(group) and _input(event) != _input(group[0])
        is_next = restates_input(event.fact) and not all(isinstance(known.fact, PriceSeen) for known in group)
        if is_other or is_next:
            yield group, bodies
            group, bodies = [], []
        group.append(event)
        bodies.append(one.body)
    if group:
        yield group, bodies


def _input(event: Recorded) -> tuple[str, int, str]:
    """What an event was decided on; accounts that boot in one moment name the same cause, and each is an input."""
    return input_of(event.cause), event.ts_ns, event.stream if event.cause.startswith("boot:") else ""


class _Causes:
    """Finds causes: a service takes each producer's events in their order, so one pass over each log is enough."""

    def __init__(self, source: RecordSource, stack: AsyncExitStack, check: DecisionCheck) -> None:
        self._source = source
        self._stack = stack
        self._check = check
        self._logs: dict[str, AsyncGenerator[Stored, None]] = {}
        self._newest: dict[str, Recorded] = {}
        self._prices: OrderedDict[str, Price] = OrderedDict()

    async def of(self, cause: str) -> tuple[Recorded | None, Price | None]:
        """The event or the price a cause names, where the record has it."""
        service = cause_service(cause)
        if not service:
            return None, self._prices.get(cause)
        newest = self._newest.get(service)
        if newest is not None and newest.identity == cause:
            return newest, None
        if service not in self._logs:
            self._logs[service] = await self._stack.enter_async_context(aclosing(self._source.events(service)))
        async for one in self._logs[service]:
            envelope = envelope_of(one.body)
            if envelope is None:
                continue
            found = identity(envelope.stream, envelope.version) == cause
            if found or envelope.fact.topic == _PRICE_TOPIC:
                event = decode(one.body)
                self._note(event)
                if found:
                    self._newest[service] = event
                    return event, None
                self._check.hear(event)
        return None, None

    def _note(self, event: Recorded) -> None:
        price = getattr(event.fact, "price", None)
        if isinstance(price, Price):
            self._prices[price_cause(price)] = price
            if len(self._prices) > _PRICES_KEPT:
                self._prices.popitem(last=False)
