"""The shape of every service's pure part: inputs in, drafts of events out, state folded from them."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gridkeeper_core.events import Fact
from gridkeeper_core.inputs import Input
from gridkeeper_core.record import Recorded


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An event before it is stored: the log adds version and `prev`."""

    stream: str
    ts_ns: int
    cause: str
    thread: str
    fact: Fact


class Machine(Protocol):
    """A deterministic part: equal inputs in equal order give equal drafts, on any machine.

    Law: an input that yields no draft leaves the state equal, so that a replay needs only what the log holds.
    """

    def accept(self, item: Input) -> list[Draft]:
        """Decide on one input and fold the drafts into the state, in the order they will be stored.

        Raises GridkeeperError when a command must be refused; then nothing has changed.
        """

    def restore(self, event: Recorded) -> None:
        """Fold one stored event of this machine's own streams."""

    def next_wake_ns(self) -> int | None:
        """The next moment at which time alone may lead to a decision; None when there is none."""

    def digests(self) -> dict[str, str]:
        """Stream -> SHA-256 (hex) of the versioned tuple of named facts that makes up its state (`digest_v1`)."""
