"""The heads of all streams at one moment, kept elsewhere: they give away a record whose end was cut off later."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.audit.envelope import Row, identity
from gridkeeper_core.audit.finding import Finding
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.record import hash_of


class LogHeads(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One log: the id of its newest event, and each stream's version and the SHA-256 of its last event's bytes."""

    head_id: int
    streams: dict[str, tuple[int, str]]


class KeptHeads(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `audit export --heads` writes: the heads of every log (by app) at one moment (UTC)."""

    kind: Literal["gridkeeper-heads-v1"] = "gridkeeper-heads-v1"
    taken_at: str
    release: str
    shard: int
    logs: dict[str, LogHeads]


def read_heads(content: bytes, name: str) -> KeptHeads:
    """Heads that were kept. Raises GridkeeperError BAD_FILE."""
    try:
        return msgspec.json.decode(content, type=KeptHeads)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise GridkeeperError("BAD_FILE", field=name, expected="a file of `audit export --heads`") from error


class HeadsCheck:
    """Compares the rows of one log with the heads that were kept of it."""

    def __init__(self, app: str, kept: LogHeads) -> None:
        self._app = app
        self._kept = kept
        self._reached: dict[str, int] = {}

    def take(self, row: Row) -> Finding | None:
        """The next row of the log: a finding where it is not what was kept."""
        self._reached[row.stream] = max(row.version, self._reached.get(row.stream, 0))
        version, kept_hash = self._kept.streams.get(row.stream, (0, ""))
        if row.version != version or hash_of(row.state) == kept_hash:
            return None
        return Finding(
            kind="rewritten",
            place="PostgreSQL",
            app=self._app,
            event=identity(row.stream, row.version),
            before=identity(row.stream, row.version - 1),
            after=identity(row.stream, row.version + 1),
            detail="Its hash is not the one that was kept.",
        )

    def missing(self) -> list[Finding]:
        """Streams that end before the version that was kept, once every row was taken."""
        return [
            Finding(
                kind="cut off",
                place="PostgreSQL",
                app=self._app,
                event=identity(name, self._reached.get(name, 0) + 1),
                before=identity(name, self._reached.get(name, 0)),
                detail=f"The stream had version {version} when the heads were kept.",
            )
            for name, (version, _) in sorted(self._kept.streams.items())
            if self._reached.get(name, 0) < version
        ]
