"""The notifier's machine: tells people what matters, at once or gathered, and never floods them."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from gridkeeper_core.alerts.digest_text import digest_text, heartbeat_text
from gridkeeper_core.alerts.notice import FLEET, Notice, alert_fact, notice_of, notice_of_alert, notice_of_test
from gridkeeper_core.alerts.policy import Policy, Severity
from gridkeeper_core.alerts.throttle import Bucket
from gridkeeper_core.digest import digest_of
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import Digested, Fact, HeldBack, PolicySet, Sent, TestMet
from gridkeeper_core.inputs import AlertReceived, Command, EventSeen, Input, TestNotification, Wake, cause_of
from gridkeeper_core.machine import Draft
from gridkeeper_core.names import split_stream, stream
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import NS_PER_S

DIGEST_VERSION = 2
TOLD_KEPT = 4096
"""How many of the newest events told of are remembered, so that none is told twice."""
SAME_CAUSE_NS = 1800 * NS_PER_S
"""An alert about what the system itself spoke of so recently waits for the next digest."""
HEARTBEAT = "heartbeat"
_RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What is held back of one kind for one target, and when it is to go out."""

    due_ns: int
    count: int
    first: str
    last: str
    last_text: str
    severity: Severity
    amounts: tuple[tuple[str, int], ...]


class NotifierMachine:
    """Writes `alert:<target>`. Critical messages always pass; every event held back is counted in a digest.

    It works by the policy it recorded last; one that differs from `policy` is replaced at the first input.
    """

    def __init__(self, policy: Policy) -> None:
        self._wanted = policy.checked()
        self._policy: Policy | None = None
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._pending: dict[tuple[str, str], Pending] = {}
        self._digested_ns: dict[tuple[str, str], int] = {}
        self._troubled_ns: dict[tuple[str, str], int] = {}
        self._told: OrderedDict[str, None] = OrderedDict()
        self._heartbeat_ns = 0
        self._tally: dict[str, int] = {}

    def accept(self, item: Input) -> list[Draft]:
        """Say or hold back what an event gives rise to; send what is due. Raises GridkeeperError for a command."""
        if isinstance(item, Command) and isinstance(item.body, TestNotification):
            _check_channel(item.body.channel, self._wanted)
        drafts = self._adopt_policy(item)
        match item:
            case EventSeen():
                return drafts + self._tell(notice_of(item.event), item.event.identity, item.event.thread, item.now_ns)
            case AlertReceived():
                drafts += self._tell(notice_of_alert(item), item.identity, "", item.now_ns)
                return self._met(item, alert_fact(item), drafts)
            case Wake():
                return drafts + self._digest(item.now_ns, cause_of(item)) + self._report(item.now_ns, cause_of(item))
            case Command(body=TestNotification(channel=channel)):
                met = TestMet(author=item.author, reason=item.reason, channel=channel)
                return self._met(item, met, drafts + self._test(item, channel))
            case _:
                return drafts

    def want(self, policy: Policy) -> None:
        """Take this policy with what is decided next."""
        self._wanted = policy

    def restore(self, event: Recorded) -> None:
        """Fold one stored event of `alert:<target>`."""
        _, target = split_stream(event.stream)
        self._fold(target, event.ts_ns, event.fact)

    def next_wake_ns(self) -> int | None:
        """When the next digest or heartbeat is due."""
        moments = [pending.due_ns for pending in self._pending.values()]
        if self._policy is not None and (beat_ns := self._policy.next_heartbeat(self._heartbeat_ns)) is not None:
            moments.append(beat_ns)
        return min(moments, default=None)

    def digests(self) -> dict[str, str]:
        """The digest of what is known about each target."""
        targets = {target for target, _ in (*self._buckets, *self._pending, *self._digested_ns, *self._troubled_ns)}
        if self._policy is not None:
            targets.add(FLEET)
        return {stream("alert", target): self._digest_of(target) for target in sorted(targets)}

    def held_back(self) -> int:
        """How many notices wait for a digest."""
        return sum(pending.count for pending in self._pending.values())

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy or self._wanted

    # ------------------------------------------------------------ deciding

    def _adopt_policy(self, item: Input) -> list[Draft]:
        # An input that leads to nothing must leave the state equal, so a policy is taken with what it first decides.
        if self._policy == self._wanted or not self._leads_somewhere(item):
            return []
        fact = PolicySet(policy=self._wanted)
        return [self._draft(FLEET, item.now_ns, cause_of(item), "", fact)]

    def _leads_somewhere(self, item: Input) -> bool:
        match item:
            case EventSeen():
                return notice_of(item.event) is not None
            case AlertReceived() | Command(body=TestNotification()):
                return True
            case _:
                return False

    def _tell(self, notice: Notice | None, identity: str, thread: str, now_ns: int) -> list[Draft]:
        if notice is None or identity in self._told:
            return []
        about = (identity,)
        facts: list[Fact] = [
            HeldBack(severity=notice.severity, key=notice.key, text=notice.text, about=about, amounts=notice.amounts)
        ]
        if self._may_send(notice, now_ns):
            facts = [
                Sent(severity=notice.severity, channel=channel, key=notice.key, text=notice.text, about=about)
                for channel in self.policy.channels_for(notice.routed_as or notice.severity, notice.target)
            ]
        return [self._draft(notice.target, now_ns, identity, thread, fact) for fact in facts]

    def _met(self, item: Input, met: Fact, drafts: list[Draft]) -> list[Draft]:
        """What was decided, and before it the input it was decided on, so that it can be decided again."""
        return [self._draft(FLEET, item.now_ns, cause_of(item), "", met), *drafts] if drafts else drafts

    def _may_send(self, notice: Notice, now_ns: int) -> bool:
        place = (notice.target, notice.key)
        if notice.after_our_own and now_ns - self._troubled_ns.get(place, -SAME_CAUSE_NS) < SAME_CAUSE_NS:
            return False
        # Who was woken for the beginning is told of the end.
        if "critical" in (notice.severity, notice.routed_as):
            return True
        if notice.digest_only or self.policy.awake_at(now_ns) > now_ns:
            return False
        return self._buckets.get(place, Bucket()).has_token(now_ns, self.policy.limits)

    def _test(self, item: Command, channel: str) -> list[Draft]:
        notice = notice_of_test(item.author)
        facts = [
            Sent(severity=notice.severity, channel=name, key=notice.key, text=notice.text, about=(cause_of(item),))
            for name in ((channel,) if channel else self.policy.channels)
        ]
        return [self._draft(FLEET, item.now_ns, cause_of(item), item.key, fact) for fact in facts]

    def _digest(self, now_ns: int, cause: str) -> list[Draft]:
        due = sorted(place for place, pending in self._pending.items() if pending.due_ns <= now_ns)
        drafts: list[Draft] = []
        for target, key in due:
            pending = self._pending[target, key]
            text = digest_text(target, key, pending.count, pending.last_text, dict(pending.amounts))
            about = (pending.first, pending.last)
            for channel in self.policy.channels_for(pending.severity, target):
                fact = Digested(
                    channel=channel, key=key, text=text, count=pending.count, about=about, severity=pending.severity
                )
                drafts.append(self._draft(target, now_ns, cause, "", fact))
        return drafts

    def _report(self, now_ns: int, cause: str) -> list[Draft]:
        beat_ns = self._policy.next_heartbeat(self._heartbeat_ns) if self._policy is not None else None
        if beat_ns is None or beat_ns > now_ns:
            return []
        text = heartbeat_text(self._tally)
        return [
            self._draft(FLEET, now_ns, cause, "", Sent(severity="info", channel=c, key=HEARTBEAT, text=text, about=()))
            for c in self.policy.channels_for("info", FLEET)
        ]

    def _draft(self, target: str, now_ns: int, cause: str, thread: str, fact: Fact) -> Draft:
        self._fold(target, now_ns, fact)
        return Draft(stream=stream("alert", target), ts_ns=now_ns, cause=cause, thread=thread, fact=fact)

    # ------------------------------------------------------------ folding

    def _fold(self, target: str, now_ns: int, fact: Fact) -> None:
        match fact:
            case Sent(about=()):
                self._heartbeat_ns = now_ns
                self._tally = {}
            case Sent():
                self._fold_sent((target, fact.key), now_ns, fact)
            case HeldBack():
                self._fold_held_back((target, fact.key), now_ns, fact)
            case Digested():
                # The first channel's digest settles what is pending; those of the other channels say the same.
                self._pending.pop((target, fact.key), None)
                self._digested_ns[target, fact.key] = now_ns
            case PolicySet():
                self._policy = fact.policy
                # The first heartbeat comes at its hour after the first message, not for the days before it.
                self._heartbeat_ns = self._heartbeat_ns or now_ns

    def _fold_sent(self, place: tuple[str, str], now_ns: int, fact: Sent) -> None:
        # One message on several channels takes one token.
        if fact.about[0] not in self._told:
            self._buckets[place] = self._buckets.get(place, Bucket()).taken(now_ns, self.policy.limits)
            if fact.severity != "info":
                self._troubled_ns[place] = now_ns
            self._count(fact.severity, ())
            self._remember(fact.about[0])

    def _fold_held_back(self, place: tuple[str, str], now_ns: int, fact: HeldBack) -> None:
        about = fact.about[0]
        self._remember(about)
        self._count(fact.severity, fact.amounts)
        limits = self.policy.limits
        old = self._pending.get(place)
        if old is None:
            earliest = self._digested_ns.get(place, now_ns - limits.spacing_ns) + limits.spacing_ns
            due_ns = self.policy.awake_at(max(now_ns + limits.gather_ns, earliest))
            old = Pending(
                due_ns=due_ns, count=0, first=about, last=about, last_text="", severity=fact.severity, amounts=()
            )
        self._pending[place] = Pending(
            due_ns=old.due_ns,
            count=old.count + 1,
            first=old.first,
            last=about,
            last_text=fact.text,
            severity=max(old.severity, fact.severity, key=_RANK.__getitem__),
            amounts=_added(old.amounts, fact.amounts),
        )

    def _count(self, severity: Severity, amounts: tuple[tuple[str, int], ...]) -> None:
        for name, amount in ((severity, 1), *amounts):
            self._tally[name] = self._tally.get(name, 0) + amount

    def _remember(self, identity: str) -> None:
        self._told[identity] = None
        if len(self._told) > TOLD_KEPT:
            self._told.popitem(last=False)

    def _digest_of(self, target: str) -> str:
        facts: dict[str, object] = {
            "buckets": tuple((key, b.full_ns) for (name, key), b in sorted(self._buckets.items()) if name == target),
            "digested": tuple((key, ns) for (name, key), ns in sorted(self._digested_ns.items()) if name == target),
            "troubled": tuple((key, ns) for (name, key), ns in sorted(self._troubled_ns.items()) if name == target),
            "pending": tuple(
                (key, p.due_ns, p.count, p.first, p.last, p.severity, p.amounts)
                for (name, key), p in sorted(self._pending.items())
                if name == target
            ),
        }
        if target == FLEET:
            facts["heartbeat"] = (self._heartbeat_ns, tuple(sorted(self._tally.items())))
            facts["policy"] = "" if self._policy is None else msgspec.json.encode(self._policy).decode()
        return digest_of(DIGEST_VERSION, facts)


def _check_channel(channel: str, policy: Policy) -> None:
    if channel and channel not in policy.channels:
        expected = ", ".join(policy.channels)
        raise GridkeeperError("BAD_VALUE", field="channel", value=channel, expected=expected)


def _added(sums: tuple[tuple[str, int], ...], more: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    total = dict(sums)
    for name, amount in more:
        total[name] = total.get(name, 0) + amount
    return tuple(sorted(total.items()))
