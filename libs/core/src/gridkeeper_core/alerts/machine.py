"""The notifier's machine: tells people what matters, at once or gathered, and never floods them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from gridkeeper_core.alerts.digest_text import digest_text
from gridkeeper_core.alerts.notice import Notice, notice_of
from gridkeeper_core.alerts.throttle import Bucket, Limits
from gridkeeper_core.digest import digest_of
from gridkeeper_core.events import Digested, Fact, HeldBack, Sent
from gridkeeper_core.inputs import EventSeen, Input, Wake, cause_of
from gridkeeper_core.machine import Draft
from gridkeeper_core.names import split_stream, stream
from gridkeeper_core.record import Recorded

DIGEST_VERSION = 1
TOLD_KEPT = 4096
"""How many of the newest events told of are remembered, so that none is told twice."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What is held back of one kind for one target, and when it is to go out."""

    due_ns: int
    count: int
    first: str
    last: str
    last_text: str
    amounts: tuple[tuple[str, int], ...]


class NotifierMachine:
    """Writes `alert:<target>`. Critical messages always pass; every event held back is counted in a digest."""

    def __init__(self, channels: Sequence[str], limits: Limits | None = None) -> None:
        if not channels:
            raise ValueError("expected at least one channel, was none")
        self._channels = tuple(channels)
        self._limits = limits or Limits()
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._pending: dict[tuple[str, str], Pending] = {}
        self._digested_ns: dict[tuple[str, str], int] = {}
        self._told: OrderedDict[str, None] = OrderedDict()

    def accept(self, item: Input) -> list[Draft]:
        """Say or hold back what an event gives rise to; send the digests that are due."""
        match item:
            case EventSeen():
                return self._tell(item.event, item.now_ns)
            case Wake():
                return self._digest(item.now_ns, cause_of(item))
            case _:
                return []

    def restore(self, event: Recorded) -> None:
        """Fold one stored event of `alert:<target>`."""
        _, target = split_stream(event.stream)
        self._fold(target, event.ts_ns, event.fact)

    def next_wake_ns(self) -> int | None:
        """When the next digest is due."""
        return min((pending.due_ns for pending in self._pending.values()), default=None)

    def digests(self) -> dict[str, str]:
        """The digest of what is known about each target."""
        targets = {target for target, _ in (*self._buckets, *self._pending, *self._digested_ns)}
        return {stream("alert", target): self._digest_of(target) for target in sorted(targets)}

    def held_back(self) -> int:
        """How many notices wait for a digest."""
        return sum(pending.count for pending in self._pending.values())

    def _tell(self, event: Recorded, now_ns: int) -> list[Draft]:
        notice = notice_of(event)
        if notice is None or event.identity in self._told:
            return []
        about = (event.identity,)
        facts: list[Fact] = [
            HeldBack(severity=notice.severity, key=notice.key, text=notice.text, about=about, amounts=notice.amounts)
        ]
        if self._may_send(notice, now_ns):
            facts = [
                Sent(severity=notice.severity, channel=channel, key=notice.key, text=notice.text, about=about)
                for channel in self._channels
            ]
        return [self._draft(notice.target, now_ns, event.identity, event.thread, fact) for fact in facts]

    def _may_send(self, notice: Notice, now_ns: int) -> bool:
        if notice.severity == "critical":
            return True
        bucket = self._buckets.get((notice.target, notice.key), Bucket())
        return not notice.digest_only and bucket.has_token(now_ns, self._limits)

    def _digest(self, now_ns: int, cause: str) -> list[Draft]:
        due = sorted(place for place, pending in self._pending.items() if pending.due_ns <= now_ns)
        drafts: list[Draft] = []
        for target, key in due:
            pending = self._pending[target, key]
            text = digest_text(target, key, pending.count, pending.last_text, dict(pending.amounts))
            about = (pending.first, pending.last)
            for channel in self._channels:
                fact = Digested(channel=channel, key=key, text=text, count=pending.count, about=about)
                drafts.append(self._draft(target, now_ns, cause, "", fact))
        return drafts

    def _draft(self, target: str, now_ns: int, cause: str, thread: str, fact: Fact) -> Draft:
        self._fold(target, now_ns, fact)
        return Draft(stream=stream("alert", target), ts_ns=now_ns, cause=cause, thread=thread, fact=fact)

    def _fold(self, target: str, now_ns: int, fact: Fact) -> None:
        match fact:
            case Sent():
                self._fold_sent((target, fact.key), now_ns, fact)
            case HeldBack():
                self._fold_held_back((target, fact.key), now_ns, fact)
            case Digested():
                # The first channel's digest settles what is pending; those of the other channels say the same.
                self._pending.pop((target, fact.key), None)
                self._digested_ns[target, fact.key] = now_ns

    def _fold_sent(self, place: tuple[str, str], now_ns: int, fact: Sent) -> None:
        # One message on several channels takes one token.
        if fact.about[0] not in self._told:
            self._buckets[place] = self._buckets.get(place, Bucket()).taken(now_ns, self._limits)
            self._remember(fact.about[0])

    def _fold_held_back(self, place: tuple[str, str], now_ns: int, fact: HeldBack) -> None:
        about = fact.about[0]
        self._remember(about)
        old = self._pending.get(place)
        if old is None:
            earliest = self._digested_ns.get(place, now_ns - self._limits.spacing_ns) + self._limits.spacing_ns
            due_ns = max(now_ns + self._limits.gather_ns, earliest)
            old = Pending(due_ns=due_ns, count=0, first=about, last=about, last_text="", amounts=())
        self._pending[place] = Pending(
            due_ns=old.due_ns,
            count=old.count + 1,
            first=old.first,
            last=about,
            last_text=fact.text,
            amounts=_added(old.amounts, fact.amounts),
        )

    def _remember(self, identity: str) -> None:
        self._told[identity] = None
        if len(self._told) > TOLD_KEPT:
            self._told.popitem(last=False)

    def _digest_of(self, target: str) -> str:
        facts: dict[str, object] = {
            "buckets": tuple((key, b.full_ns) for (name, key), b in sorted(self._buckets.items()) if name == target),
            "digested": tuple((key, ns) for (name, key), ns in sorted(self._digested_ns.items()) if name == target),
            "pending": tuple(
                (key, p.due_ns, p.count, p.first, p.last, p.amounts)
                for (name, key), p in sorted(self._pending.items())
                if name == target
            ),
        }
        return digest_of(DIGEST_VERSION, facts)


def _added(sums: tuple[tuple[str, int], ...], more: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    total = dict(sums)
    for name, amount in more:
        total[name] = total.get(name, 0) + amount
    return tuple(sorted(total.items()))
