"""Folds every log anew from each of its copies, and compares what comes out with the running services."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.requests import request
from gridkeeper_cli.audit_logs import SERVICES, Logs, Progress, Shares, opened, unseen
from gridkeeper_cli.sealed_log import read_index, sealed_events
from gridkeeper_core.audit.replay import MACHINES, Difference, Replay, State, differences
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import app_name, query_subject
from gridkeeper_core.requests import Heads

Source: TypeAlias = Literal["postgres", "ev"]
SOURCES: tuple[Source, ...] = ("postgres", "ev")
RUNNING = "running"
WITHOUT_HEADS = frozenset({"price_feed"})
"""Services that do not tell their state: only their copies are compared with each other."""
_PARTS = 3


class ReplayedLog(msgspec.Struct, frozen=True, kw_only=True):
    """One log: how far it was folded (`until_id`), how many events that are, how many states, compared where."""

    app: str
    until_id: int
    events: int
    states: int
    sources: tuple[str, ...]


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was folded, and where states differ."""

    logs: tuple[ReplayedLog, ...]
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether all sources agree."""
        return not self.differences

    @property
    def error(self) -> GridkeeperError:
        """What to tell the user; the streams are named."""
        streams = dict.fromkeys(difference.stream or difference.app for difference in self.differences)
        return GridkeeperError(
            "REPLAY_DIFFERS", field=", ".join(streams), detail=" ".join(d.sentence for d in self.differences[:_PARTS])
        )


async def replay(
    postgres_url: str,
    nats_url: str,
    shard: int = 0,
    *,
    services: Sequence[str] = SERVICES,
    sources: Sequence[Source] = SOURCES,
    ask_services: bool = True,
    progress: Progress = unseen,
    data_dir: Path | None = None,
) -> ReplayReport:
    """Fold every log of the shard up to what its service says of itself at the beginning.

    Without `ask_services` the sources are compared with each other alone, up to what PostgreSQL holds now. What was
    sealed in `data_dir` is part of EV. Raises GridkeeperError STORE_LOST, BAD_FILE for a sealed file that was changed,
    and SERVICE_SILENT when a service does not answer.
    """
    async with opened(postgres_url, nats_url, shard, services) as logs:
        running = await _ask(logs.bus, shard, services) if ask_services else {}
        ends = await logs.head_ids() | {service: heads.head_id for service, heads in running.items()}
        states: dict[str, dict[str, State]] = {service: {} for service in services}
        shares = Shares(progress, sum(ends.values()) * len(sources))
        if "postgres" in sources:
            for service, until_id in ends.items():
                states[service]["postgres"] = await _from_postgres(logs, service, until_id, shares)
        if "ev" in sources:
            for service, state in (await _from_ev(logs, ends, shares, data_dir)).items():
                states[service]["ev"] = state
        for service, heads in running.items():
            states[service][RUNNING] = State(digests=heads.digests, streams=heads.streams)
    return _report(states, ends, shard)


async def _ask(bus: Bus, shard: int, services: Sequence[str]) -> dict[str, Heads]:
    return {
        service: msgspec.json.decode(await request(bus, query_subject(shard, service, "heads")), type=Heads)
        for service in services
        if service not in WITHOUT_HEADS
    }


async def _from_postgres(logs: Logs, service: str, until_id: int, shares: Shares) -> State:
    fold, read_to = Replay(MACHINES[service](), until_id), 0
    async with aclosing(logs.pages(service)) as pages:
        async for rows in pages:
            for row in rows:
                fold.take(row.id, row.state)
            shares.add(rows[-1].id - read_to)
            read_to = rows[-1].id
            if fold.is_done:
                break
    return fold.state()


async def _from_ev(logs: Logs, ends: dict[str, int], shares: Shares, data_dir: Path | None) -> dict[str, State]:
    folds = {app_name(service, logs.shard): Replay(MACHINES[service](), end) for service, end in ends.items()}
    sealed: dict[str, int] = {}
    if data_dir is not None:
        for stored in sealed_events(data_dir, read_index(data_dir)):
            app = app_name(stored.service, logs.shard)
            sealed[app] = stored.id
            folds[app].take(stored.id, stored.body)
    async for batch in logs.messages(lambda: all(fold.is_done for fold in folds.values())):
        for message in batch:
            if message.app in folds and message.id > sealed.get(message.app, 0):
                folds[message.app].take(message.id, message.body)
        shares.add(len(batch))
    return {service: folds[app_name(service, logs.shard)].state() for service in ends}


def _report(states: dict[str, dict[str, State]], ends: dict[str, int], shard: int) -> ReplayReport:
    found = [d for service, of in states.items() for d in differences(app_name(service, shard), of)]
    replayed = tuple(
        ReplayedLog(
            app=app_name(service, shard),
            until_id=ends[service],
            events=max(state.events for state in of.values()),
            states=max(len(state.digests) for state in of.values()),
            sources=tuple(of),
        )
        for service, of in states.items()
    )
    return ReplayReport(logs=replayed, differences=tuple(found))
