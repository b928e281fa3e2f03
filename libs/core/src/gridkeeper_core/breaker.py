"""A dependency breaker as a pure state machine: closed, open for longer each time, half-open for one trial."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.units import NS_PER_S

BreakerPhase = Literal["closed", "open", "half-open"]


class BreakerRules(msgspec.Struct, frozen=True, kw_only=True):
    """How many failures in a row open it, and for how long: each failed trial doubles the pause, up to the longest."""

    failures: int = 3
    first_pause_ns: int = 1 * NS_PER_S
    longest_pause_ns: int = 60 * NS_PER_S


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One dependency. Methods give the breaker as it is afterwards; `now_ns` may be any clock, always the same."""

    rules: BreakerRules = BreakerRules()
    failures: int = 0
    pause_ns: int = 0
    open_until_ns: int = 0
    is_trying: bool = False

    def phase(self, now_ns: int) -> BreakerPhase:
        """Closed: all may pass. Open: nothing. Half-open: one, whose outcome decides."""
        if not self.pause_ns:
            return "closed"
        return "open" if now_ns < self.open_until_ns else "half-open"

    def may_pass(self, now_ns: int) -> bool:
        """Whether a request may be made now; whoever makes it says so with `trying`."""
        phase = self.phase(now_ns)
        return phase == "closed" or (phase == "half-open" and not self.is_trying)

    def trying(self, now_ns: int) -> Breaker:
        """A request is under way."""
        if self.phase(now_ns) != "half-open":
            return self
        return msgspec.structs.replace(self, is_trying=True)

    def gave_up(self) -> Breaker:
        """The request under way was taken back without an outcome: another may be the trial."""
        return msgspec.structs.replace(self, is_trying=False) if self.is_trying else self

    def succeeded(self) -> Breaker:
        """The dependency works."""
        return Breaker(rules=self.rules)

    def failed(self, now_ns: int) -> Breaker:
        """The dependency did not do what was asked."""
        if self.phase(now_ns) == "open":
            # A request from before it opened says nothing new.
            return self
        failures = self.failures + 1
        if not self.pause_ns and failures < self.rules.failures:
            return msgspec.structs.replace(self, failures=failures)
        pause_ns = min(self.rules.longest_pause_ns, self.pause_ns * 2 or self.rules.first_pause_ns)
        return Breaker(rules=self.rules, failures=failures, pause_ns=pause_ns, open_until_ns=now_ns + pause_ns)
