"""Makes EV anew from PostgreSQL, and proves afterwards that both are the same."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.streams import ev_config, make_anew
from gridkeeper_cli.audit_logs import SERVICES, Logs, Progress, Shares, opened, unseen
from gridkeeper_cli.audit_verify import VerifyReport, verify_logs
from gridkeeper_core import names
from gridkeeper_core.audit.chain import ChainCheck
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import OutboxMessage
from gridkeeper_eventlog.rebuild import rebuild
from gridkeeper_eventlog.store import EventStore


class RebuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many events each log put on EV, and what the audit afterwards found."""

    published: dict[str, int]
    verified: VerifyReport


async def rebuild_ev(
    postgres_url: str,
    nats_url: str,
    shard: int = 0,
    *,
    services: Sequence[str] = SERVICES,
    progress: Progress = unseen,
) -> RebuildReport:
    """Delete EV and fill it again. No service may run, and EV must hold this shard alone.

    Before anything is deleted PostgreSQL's chains are checked: a broken log must not replace the only good copy. Raises
    GridkeeperError CHAIN_BROKEN then, STORE_LOST, or EVENT_GAP when a cause is in no log. A run that was broken off is
    simply started again.
    """
    await _prepare(postgres_url, shard, services)
    async with opened(postgres_url, nats_url, shard, services) as logs:
        await _require_whole(logs)
        await make_anew(logs.bus, ev_config())
        shares = Shares(progress, sum((await logs.head_ids()).values()))
        published = await rebuild(
            [
                (store, _Publisher(JetStreamPublisher(logs.bus, service=service, shard=shard), shares))
                for service, store in logs.stores.items()
            ],
            logs.thread,
        )
        return RebuildReport(published=published, verified=await verify_logs(logs, progress))


async def _prepare(postgres_url: str, shard: int, services: Sequence[str]) -> None:
    """A service that never started has no tables yet; an empty log is published as nothing."""
    thread = DbThread("prepare")
    try:
        for service in services:
            store = EventStore(postgres_url, names.app_name(service, shard))
            await thread.run(store.create_tables)
            await thread.run(store.close)
    finally:
        thread.close()


async def _require_whole(logs: Logs) -> None:
    for service in logs.stores:
        check, read_to = ChainCheck(names.app_name(service, logs.shard), service), 0
        while rows := await logs.rows(service, read_to):
            for row in rows:
                found, _ = check.take(row)
                if found is not None:
                    raise GridkeeperError(
                        "CHAIN_BROKEN",
                        field=found.event,
                        value=found.kind,
                        detail=f"EV was left as it is, because PostgreSQL is not whole. {found.sentence}",
                        do="Restore a backup of PostgreSQL first.",
                    )
            read_to = rows[-1].id


class _Publisher:
    """A publisher that tells how far it is."""

    def __init__(self, publisher: JetStreamPublisher, shares: Shares) -> None:
        self._publisher = publisher
        self._shares = shares

    async def last_published(self) -> int:
        return await self._publisher.last_published()

    async def publish(self, batch: list[OutboxMessage]) -> None:
        await self._publisher.publish(batch)
        self._shares.add(len(batch))
