"""Makes every decision of a log again on its recorded input, and compares the events byte for byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.audit.rebuilt import Lacking, rebuilt
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.machine import Draft, Machine
from gridkeeper_core.names import split_stream
from gridkeeper_core.orders.decide import RollTooLargeError
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.prices.price import Price, price_cause
from gridkeeper_core.record import Recorded, encode, topic_of
from gridkeeper_core.venue.records import Roll, Signed

Decider = Literal["strategy", "execution", "ledger", "notifier"]
DECIDERS: tuple[Decider, ...] = ("strategy", "execution", "ledger", "notifier")
DIFFERENCES_KEPT = 20
"""Per log: after a first difference the states may differ for ever, and the first ones tell."""


_VALUE_SHOWN = 120


class DecisionDiffers(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that comes out otherwise now: the first event that differs, and what is decided in its place."""

    service: str
    event: str
    cause: str
    recorded: str
    now: str

    @property
    def sentence(self) -> str:
        """For a person."""
        return f"{self.event} (cause {self.cause}): recorded {self.recorded}; decided now {self.now}."


class LogDecisions(msgspec.Struct, frozen=True, kw_only=True):
    """One log: decisions and events that came out the same, inputs that could not be made again, differences."""

    service: str
    decisions: int
    events: int
    folded: int
    lacking: dict[str, int]
    differences: tuple[DecisionDiffers, ...]


class DecisionCheck:
    """One log, decision by decision. After `is_over` nothing more need be handed over."""

    def __init__(self, service: Decider) -> None:
        self.service = service
        self.differences: list[DecisionDiffers] = []
        self._signed: dict[str, e.TransactionSigned] = {}
        self._machine: Machine = self._made()
        self._decisions = 0
        self._events = 0
        self._folded = 0
        self._lacking: Counter[str] = Counter()

    def begin_again(self) -> None:
        """Forget the state, which a difference has led astray: what is recorded is to be folded up to here."""
        self._machine = self._made()

    def fold(self, event: Recorded) -> None:
        """An event of this log that is taken as it is."""
        self._machine.restore(event)
        if isinstance(self._machine, ExecutionMachine) and isinstance(event.fact, e.AccountRecovering):
            self._machine.replaying(split_stream(event.stream)[1], AccountRules())

    @property
    def is_over(self) -> bool:
        """Whether so much differs that going on tells nothing."""
        return len(self.differences) >= DIFFERENCES_KEPT

    def hear(self, event: Recorded) -> None:
        """An event of another service that led to nothing here: only a price in it is noted."""
        if isinstance(event.fact, e.PriceSeen) and self.service == "execution":
            self._machine.accept(rebuilt([event], event, None))  # type: ignore[arg-type]  # a cause is always enough

    def take(
        self, group: Sequence[Recorded], cause: Recorded | None, price: Price | None, bodies: Sequence[bytes]
    ) -> None:
        """The events of one decision with their stored bytes, and the event or price they name where it is known."""
        self._prepare(group)
        seen = next((event.fact.price for event in group if isinstance(event.fact, e.PriceSeen)), price)
        item = rebuilt(group, cause, seen if group[0].cause.startswith("price:") else None)
        if isinstance(item, Lacking):
            self._lacking[f"{item.name}: {item.why}"] += 1
            self._fold(group)
            return
        try:
            drafts = self._machine.accept(item)
        except (GridkeeperError, KeyError, ValueError, AssertionError) as error:
            self._add(group[0], topic_of(group[0].fact), f"{type(error).__name__}: {error}")
            return
        self._compare(group, drafts, bodies)

    def result(self) -> LogDecisions:
        """What was found."""
        return LogDecisions(
            service=self.service,
            decisions=self._decisions,
            events=self._events,
            folded=self._folded,
            lacking=dict(sorted(self._lacking.items())),
            differences=tuple(self.differences),
        )

    def _compare(self, group: Sequence[Recorded], drafts: Sequence[Draft], bodies: Sequence[bytes]) -> None:
        decided = [_stored(draft, event) for draft, event in zip(drafts, group, strict=False)]
        for event, now, body in zip(group, decided, bodies, strict=False):
            if body != (again := encode(now)) and not _says_the_same(body, again):
                self._add(event, *_apart(event, now))
                return
        if len(drafts) < len(group):
            self._add(group[len(drafts)], topic_of(group[len(drafts)].fact), "nothing")
        elif len(drafts) > len(group):
            self._add(group[-1], "this as the last event", f"one more, {topic_of(drafts[len(group)].fact)}")
        else:
            self._decisions += 1
            self._events += len(group)

    def _fold(self, group: Sequence[Recorded]) -> None:
        self._folded += len(group)
        for event in group:
            self._machine.restore(event)

    def _prepare(self, group: Sequence[Recorded]) -> None:
        """What the record says of the world outside of the input: the newest price, the signer's answer, the policy."""
        match self._machine:
            case StrategyMachine() as strategy:
                strategy.decide_for(*_concerned(group))
            case ExecutionMachine() as execution:
                self._prepare_execution(execution, group)
        for event in group:
            match self._machine, event.fact:
                case StrategyMachine() as strategy, e.PriceSeen(price=price) if not event.cause.startswith("price:"):
                    strategy.hear(price)
                case LedgerMachine() as ledger, e.Marked(price_e6=price_e6):
                    ledger.hear(event.stream, price_e6)
                case NotifierMachine() as notifier, e.PolicySet(policy=policy):
                    notifier.want(policy)

    def _prepare_execution(self, execution: ExecutionMachine, group: Sequence[Recorded]) -> None:
        self._signed.clear()
        if group[0].cause.startswith("boot:"):
            execution.prices.forget()
        for event in group:
            alias = split_stream(event.stream)[1]
            match event.fact:
                case e.TransactionSigned() as signed:
                    self._signed[alias] = signed
                case e.PriceSeen(price=price) if event.cause != price_cause(price):
                    execution.prices.replayed(price)
                case e.LimitsSet() as limits:
                    execution.replaying(alias, AccountRules(limits=limits))
                case e.AccountMet() as met:
                    execution.replaying(alias, _rules(met))

    def _made(self) -> Machine:
        match self.service:
            case "strategy":
                return StrategyMachine()
            case "execution":
                return ExecutionMachine(self._sign)
            case "ledger":
                return LedgerMachine()
            case "notifier":
                return NotifierMachine(Policy(channels=("replay",)))

    def _sign(self, roll: Roll) -> Signed | None:
        """As it was answered then: signed, not now, or too large for one transaction."""
        signed = self._signed.get(roll.alias)
        if signed is None or (roll.places and not signed.places):
            return None
        if len(roll.places) > len(signed.places) or len(roll.cancel_order_ids) > len(signed.cancels + signed.foreign):
            raise RollTooLargeError
        del self._signed[roll.alias]
        return _signed(signed)

    def _add(self, event: Recorded, recorded: str, now: str) -> None:
        found = DecisionDiffers(
            service=self.service, event=event.identity, cause=event.cause, recorded=recorded, now=now
        )
        self.differences.append(found)


def _stored(draft: Draft, like: Recorded) -> Recorded:
    """The draft as the log would store it in the place of an event."""
    version = like.version if draft.stream == like.stream else 0
    return Recorded(
        stream=draft.stream,
        version=version,
        ts_ns=draft.ts_ns,
        cause=draft.cause,
        thread=draft.thread,
        prev=like.prev,
        fact=draft.fact,
    )


def _says_the_same(stored: bytes, now: bytes) -> bool:
    """Whether they differ only in fields that the release which stored it did not have yet."""
    ours, theirs = msgspec.json.decode(stored), msgspec.json.decode(now)
    return bool(ours == _as_far_as(ours, theirs))


def _as_far_as(known: object, value: object) -> object:
    if isinstance(known, dict) and isinstance(value, dict):
        return {name: _as_far_as(known[name], part) for name, part in value.items() if name in known}
    if isinstance(known, list) and isinstance(value, list) and len(known) == len(value):
        return [_as_far_as(ours, theirs) for ours, theirs in zip(known, value, strict=True)]
    return value


def _concerned(group: Sequence[Recorded]) -> tuple[frozenset[str], frozenset[str]]:
    """The grids of a decision, and the markets whose newest price it tells."""
    grids = frozenset(split_stream(event.stream)[1] for event in group)
    markets = {event.fact.price.market for event in group if isinstance(event.fact, e.PriceSeen)}
    if group[0].cause.startswith("price:"):
        markets.add(group[0].cause.split(":")[1])
    return grids, frozenset(markets)


def _rules(met: e.AccountMet) -> AccountRules:
    return AccountRules(
        settle_above_e6=met.settle_above_e6, watches_sol=met.watches_sol, watches_clock=met.watches_clock
    )


def _signed(fact: e.TransactionSigned) -> Signed:
    return Signed(
        signature=fact.signature,
        bytes_base64=fact.bytes_base64,
        blockhash=fact.blockhash,
        last_valid_block_height=fact.last_valid_block_height,
    )


def _apart(recorded: Recorded, now: Recorded) -> tuple[str, str]:
    """What differs, on both sides: the fields of one fact, or the whole of two."""
    ours, theirs = msgspec.to_builtins(recorded), msgspec.to_builtins(now)
    if ours["fact"]["topic"] == theirs["fact"]["topic"] and ours["stream"] == theirs["stream"]:
        ours, theirs = ours | ours["fact"], theirs | theirs["fact"]
        names = [name for name in ours if name != "fact" and ours[name] != theirs.get(name)]
        return _fields(recorded, ours, names), _fields(now, theirs, names)
    return _fields(recorded, {}, []), _fields(now, {}, [])


def _fields(event: Recorded, members: dict[str, object], names: Sequence[str]) -> str:
    shown = ", ".join(f"{name} {str(members.get(name))[:_VALUE_SHOWN]}" for name in names)
    return f"{topic_of(event.fact)} of {event.stream}" + (f" with {shown}" if shown else "")
