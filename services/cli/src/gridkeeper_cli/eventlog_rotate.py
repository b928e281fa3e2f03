"""Seals what EV holds into a file and begins EV anew, with no more than its readers still need."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import msgspec

from gridkeeper_bus.inspection import read_raw
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.streams import ev_config, make_anew
from gridkeeper_cli.audit_logs import SERVICES, Logs, Progress, opened, sent_of, unseen
from gridkeeper_cli.audit_verify import VerifyReport, verify_logs
from gridkeeper_cli.documents import iso_now
from gridkeeper_cli.sealed_log import (
    FOLDER,
    PartWriter,
    SealedEvent,
    SealedIndex,
    SealedPart,
    read_index,
    write_index,
)
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import app_name
from gridkeeper_eventlog.rebuild import rebuild

READERS = {
    "price_feed": ("notifier",),
    "strategy": ("execution", "ledger", "notifier"),
    "execution": ("strategy", "ledger", "notifier"),
    "ledger": ("notifier",),
    "notifier": (),
}
"""Whose events each service reads, seen from the writer."""


class RotateReport(msgspec.Struct, frozen=True, kw_only=True):
    """The part that was sealed, how many events begin the new stream, and what the audit afterwards found."""

    part: SealedPart
    carried: int
    verified: VerifyReport


async def rotate_ev(
    data_dir: Path,
    postgres_url: str,
    nats_url: str,
    shard: int = 0,
    *,
    services: tuple[str, ...] = SERVICES,
    progress: Progress = unseen,
) -> RotateReport:
    """Seal and begin anew. No service may run, and EV must hold this shard alone.

    Nothing is deleted before both copies were proven the same and the file is written. Raises GridkeeperError
    CHAIN_BROKEN where they are not, BAD_USAGE where EV holds nothing that is not sealed yet, and STORE_LOST.
    """
    index = read_index(data_dir)
    async with opened(postgres_url, nats_url, shard, services) as logs:
        before = await verify_logs(logs, progress, data_dir=data_dir)
        if not before.ok:
            raise before.error
        begins = await _begins(logs)
        part = await _seal(logs, data_dir, index)
        write_index(data_dir, SealedIndex(parts=(*index.parts, part)))
        # Sequences go on where they were, so that what names one still finds it.
        await make_anew(logs.bus, ev_config(first_sequence=part.last_sequence + 1))
        published = await rebuild(
            [(store, JetStreamPublisher(logs.bus, service=name, shard=shard)) for name, store in logs.stores.items()],
            logs.thread,
            after={app_name(name, shard): begin for name, begin in begins.items()},
        )
        after = await verify_logs(logs, progress, data_dir=data_dir)
    return RotateReport(part=part, carried=sum(published.values()), verified=after)


async def _begins(logs: Logs) -> dict[str, int]:
    """Service -> the id after which its log is still needed on EV: its newest event, by which its outbox knows where it
    is, and whatever a reader has not taken yet.
    """
    heads = await logs.head_ids()
    positions = {name: await logs.thread.run(store.positions) for name, store in logs.stores.items()}
    begins: dict[str, int] = {}
    for writer, head in heads.items():
        app = app_name(writer, logs.shard)
        taken = [positions[reader].get(app, 0) for reader in READERS[writer] if reader in positions]
        begins[writer] = max(0, min([head, *taken]) - 1)
    return begins


async def _seal(logs: Logs, data_dir: Path, index: SealedIndex) -> SealedPart:
    """Write what EV holds and no earlier part does. A part that was begun and not finished is written anew."""
    last, known = await logs.last_sequence(), index.heads
    name = f"EV-{len(index.parts) + 1:04}.jsonl.gz"
    with PartWriter(data_dir / FOLDER / name) as part:
        async for batch in read_raw(logs.bus, f"ev.{logs.shard}.>", 1, last):
            for message in batch:
                service, sent = message.subject.split(".")[2], sent_of(message)
                if sent.id > known.get(service, 0):
                    part.add(
                        SealedEvent(service=service, id=sent.id, sequence=sent.sequence, stored=sent.body.decode())
                    )
        if not part.events:
            raise GridkeeperError("BAD_USAGE", field="rotate", detail="EV holds nothing that is not sealed yet.")
    return SealedPart(
        file=name,
        sealed_at=iso_now(),
        release=version("gridkeeper-core"),
        events=part.events,
        last_sequence=last,
        sha256=part.sha256,
        heads=known | part.heads,
    )
