"""Reads a grid's own stream from the record: its versions of settings, and what it was at an earlier moment."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_bus.history import subjects_of
from gridkeeper_cli.client import Client
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridEdited, GridProposed
from gridkeeper_core.grid.evolve import begin, evolve
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.names import stream
from gridkeeper_core.record import Recorded, decode

ALL = 10**9


class GridVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that were in force from the event of this version on; `source` is the text of the file."""

    version: int
    ts_ns: int
    author: str
    reason: str
    source: str


async def grid_events(client: Client, grid_id: str, topics: Sequence[str] = ()) -> list[Recorded]:
    """All events of a grid's stream, or those of some topics. Raises GridkeeperError GRID_UNKNOWN where it has none."""
    page = await client.last_events(subjects_of(stream("grid", grid_id), topics), ALL)
    events = [decode(message.body) for message in page.messages]
    if not events:
        raise GridkeeperError("GRID_UNKNOWN", field="grid", value=grid_id)
    return events


async def versions(client: Client, grid_id: str) -> list[GridVersion]:
    """Every file the grid ever ran with, the oldest first; what it changed by itself is none."""
    found: list[GridVersion] = []
    for event in await grid_events(client, grid_id, ("grid.proposed.v1", "grid.edited.v1")):
        fact = event.fact
        assert isinstance(fact, GridProposed | GridEdited)
        if found and fact.source == found[-1].source:
            continue
        found.append(
            GridVersion(
                version=event.version, ts_ns=event.ts_ns, author=fact.author, reason=fact.reason, source=fact.source
            )
        )
    return found


def state_at(events: Sequence[Recorded], grid_id: str, at_ns: int | None) -> GridState:
    """The grid folded from its events up to a moment (None: to the last). Raises GridkeeperError GRID_UNKNOWN."""
    state: GridState | None = None
    for event in events:
        if at_ns is not None and event.ts_ns > at_ns:
            break
        if isinstance(event.fact, GridProposed):
            state = begin(grid_id, event.fact)
        elif state is not None:
            state = evolve(state, event.fact, event.ts_ns)
    if state is None:
        raise GridkeeperError("GRID_UNKNOWN", field="--at", value=grid_id, expected="a time after it was proposed")
    return state
