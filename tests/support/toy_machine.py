"""A small machine with real facts, and a producer's log for it to read: for tests of the event log and the bus."""

from __future__ import annotations

import hashlib

from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import AccountHalted, Fact, GridPaused, GridResumed, PriceSeen
from gridkeeper_core.inputs import Command, EventSeen, Input, PauseGrid, PriceTick, ResumeGrid, Wake, cause_of
from gridkeeper_core.machine import Draft
from gridkeeper_core.record import GENESIS, Recorded, encode, hash_of

SERVICE = "strategy"
APP = names.app_name(SERVICE, 0)
PRODUCER_SERVICE = "execution"
PRODUCER = names.app_name(PRODUCER_SERVICE, 0)
ECHO = "grid:echo"
POISON = "poison"
PAUSE_NS = 10**9


class ToyMachine:
    """Echoes every event, notes prices above the highest so far, pauses on command and resumes by itself after 1 s."""

    def __init__(self) -> None:
        self.echoed: list[str] = []
        self.highest_e6 = 0
        self.paused: dict[str, int] = {}

    def accept(self, item: Input) -> list[Draft]:
        drafts = self._decide(item)
        for draft in drafts:
            self._fold(draft.stream, draft.ts_ns, draft.fact)
        return drafts

    def restore(self, event: Recorded) -> None:
        self._fold(event.stream, event.ts_ns, event.fact)

    def next_wake_ns(self) -> int | None:
        return min(self.paused.values(), default=None)

    def digests(self) -> dict[str, str]:
        state = repr((self.echoed, self.highest_e6, sorted(self.paused.items())))
        return {ECHO: hashlib.sha256(state.encode()).hexdigest()}

    def _decide(self, item: Input) -> list[Draft]:
        match item:
            case EventSeen(event=Recorded(fact=AccountHalted(reason=reason))):
                if reason == POISON:
                    raise ValueError(reason)
                return [_draft(item, ECHO, GridPaused(code="ECHO", author="", reason=item.event.identity))]
            case PriceTick() if item.price.oracle_e6 > self.highest_e6:
                return [_draft(item, ECHO, PriceSeen(price=item.price, passed_over=0))]
            case Command(body=PauseGrid()):
                fact = GridPaused(code="PAUSED", author=item.author, reason=item.reason)
                return [_draft(item, item.target, fact)]
            case Command(body=ResumeGrid()):
                if item.target not in self.paused:
                    raise GridkeeperError("GRID_STATE", field=item.target)
                return [_draft(item, item.target, GridResumed(code="PAUSED", author=item.author, reason=item.reason))]
            case Wake():
                due = [stream for stream, at_ns in self.paused.items() if at_ns <= item.now_ns]
                return [_draft(item, stream, GridResumed(code="TIMER", author="", reason="")) for stream in due]
        return []

    def _fold(self, stream: str, ts_ns: int, fact: Fact) -> None:
        match fact:
            case GridPaused(code="ECHO", reason=identity):
                self.echoed.append(identity)
            case GridPaused(code="PAUSED"):
                self.paused[stream] = ts_ns + PAUSE_NS
            case GridResumed():
                del self.paused[stream]
            case PriceSeen(price=price):
                self.highest_e6 = price.oracle_e6


def _draft(item: Input, stream: str, fact: Fact) -> Draft:
    return Draft(stream=stream, ts_ns=item.now_ns, cause=cause_of(item), thread="", fact=fact)


def account_log(count: int, *, poison_at: int = 0, stream: str = "account:main") -> list[tuple[Recorded, bytes]]:
    """`count` chained events of an account, with the bytes as stored; ids in their log are 1, 2, 3 …"""
    log: list[tuple[Recorded, bytes]] = []
    prev = GENESIS
    for version in range(1, count + 1):
        reason = POISON if version == poison_at else f"event {version}"
        event = Recorded(
            stream=stream,
            version=version,
            ts_ns=version,
            cause="",
            thread="",
            prev=prev,
            fact=AccountHalted(author="test", reason=reason),
        )
        body = encode(event)
        prev = hash_of(body)
        log.append((event, body))
    return log


def pause(key: str, target: str = "grid:one", *, now_ns: int = 1) -> Command:
    """A command to pause."""
    return Command(now_ns=now_ns, key=key, author="ann", reason="test", target=target, body=PauseGrid())


def resume(key: str, target: str = "grid:one", *, now_ns: int = 1) -> Command:
    """A command to resume."""
    return Command(now_ns=now_ns, key=key, author="ann", reason="test", target=target, body=ResumeGrid())
