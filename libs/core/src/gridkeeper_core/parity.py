"""When two runs of the same tape count as the same: event by event, all fields but those a chain decides by itself."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gridkeeper_core.names import split_stream
from gridkeeper_core.record import Recorded, topic_of

COMPARED_KINDS = frozenset({"grid", "account", "ledger", "market"})
"""Kinds of streams that must be equal. `tx:` streams are transport; `books:` name snapshots by slot."""

CHAINS_OWN = frozenset(
    {
        "signature",
        "bytes_base64",
        "blockhash",
        "last_valid_block_height",
        "slot",
        "cursor",
        "cursor_slot",
        "lamports",
        "fee_lamports",
        "oracle",
    }
)
"""Fields of facts that hold identities, positions and costs of one particular chain."""


def comparable(events: Iterable[Recorded]) -> dict[str, list[dict[str, object]]]:
    """Stream -> its events as plain data, without what may differ between a lab and services in lockstep."""
    streams: dict[str, list[dict[str, object]]] = {}
    for event in events:
        if split_stream(event.stream)[0] in COMPARED_KINDS:
            streams.setdefault(event.stream, []).append(_plain(event))
    return streams


def first_difference(
    ours: dict[str, list[dict[str, object]]], theirs: dict[str, list[dict[str, object]]]
) -> tuple[str, int, object, object] | None:
    """(stream, version, ours, theirs) of the first event that differs, or None."""
    for stream in sorted(set(ours) | set(theirs)):
        left, right = ours.get(stream, []), theirs.get(stream, [])
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else None
            other = right[index] if index < len(right) else None
            if one != other:
                return stream, index + 1, one, other
    return None


def _plain(event: Recorded) -> dict[str, object]:
    return {
        "topic": topic_of(event.fact),
        "version": event.version,
        "ts_ns": event.ts_ns,
        "cause": _cause(event.cause),
        "thread": event.thread,
        "fact": _without(msgspec.to_builtins(event.fact), CHAINS_OWN),
    }


def _cause(cause: str) -> str:
    """Causes that name something of the chain keep only their kind."""
    kind = cause.partition(":")[0]
    return kind if kind in ("sig", "read") else cause


def _without(value: object, names: frozenset[str]) -> object:
    if isinstance(value, dict):
        return {key: _without(part, names) for key, part in value.items() if key not in names}
    if isinstance(value, list):
        return [_without(part, names) for part in value]
    return value
