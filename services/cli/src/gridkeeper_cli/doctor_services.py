"""What the doctor looks at on a running Gridkeeper: services, servers, outboxes."""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection, HTTPException

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.inspection import HeldStream, held_stream
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_cli.audit_logs import SERVICES
from gridkeeper_cli.child_plan import SERVICES as PROCESSES
from gridkeeper_cli.doctor_check import Check, fail, ok, warn
from gridkeeper_cli.readiness import unready_reasons
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.store import STORE_LOST, EventStore
from gridkeeper_runtime.datadir import RunFile, RunningService

LIVE_TIMEOUT_S = 2.0
PUBLISHED_WITHIN_S = 2.0
POLL_S = 0.1
EV_FULL_PERCENT = 70
MIB = 1024**2
_SEE_LOGS = "See its log in the data directory; `gridkeeper up` starts it again."
_SEE_SERVERS = "See logs/nats.log and logs/postgres.log in the data directory."


async def service_checks(run: RunFile) -> list[Check]:
    """One for each process that should run."""
    return list(await asyncio.gather(*(_service(name, run) for name in PROCESSES)))


async def stream_checks(bus: Bus) -> list[Check]:
    """NATS itself, and how it holds EV and PX."""
    return [await _stream(bus, name) for name in (names.EV_STREAM, names.PX_STREAM)]


async def store_checks(bus: Bus, run: RunFile, shard: int = 0) -> list[Check]:
    """PostgreSQL's settings, and whether each service's events get out."""
    thread = DbThread("doctor")
    stores = {service: EventStore(run.postgres_url, names.app_name(service, shard)) for service in SERVICES}
    try:
        for store in stores.values():
            await thread.run(store.open)
        told = "Version 17 or newer, synchronous_commit is on, every service has its tables."
        return [ok("postgresql", told), *[await _outbox(bus, thread, stores[s], s, shard) for s in SERVICES]]
    except GridkeeperError as error:
        return [fail("postgresql", error.detail or str(error), error.do)]
    except STORE_LOST as error:
        return [fail("postgresql", f"It cannot be reached: {error}", _SEE_SERVERS)]
    finally:
        for store in stores.values():
            store.close()
        thread.close()


async def _service(name: str, run: RunFile) -> Check:
    title = f"service {name.replace('_', '-')}"
    known = run.services.get(name)
    if known is None:
        return fail(title, "It does not run.", _SEE_LOGS)
    where = f"process {known.pid}" if known.pid else f"host {known.host}"
    if not await asyncio.to_thread(_is_live, known):
        return fail(title, f"It does not answer, or its event loop is stuck: {where}.", _SEE_LOGS)
    reasons = await unready_reasons(known.health_port, known.host)
    if reasons:
        return fail(title, f"Not ready: {' '.join(reasons)}", "It tries again by itself; see what it names.")
    return ok(title, f"Live and ready, {where}.")


def _is_live(service: RunningService) -> bool:
    connection = HTTPConnection(service.host, service.health_port, timeout=LIVE_TIMEOUT_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


async def _stream(bus: Bus, name: str) -> Check:
    title = f"nats {name}"
    try:
        held = await held_stream(bus, name)
    except GridkeeperError as error:
        return fail(title, error.detail, _SEE_SERVERS)
    if held.trouble:
        return fail(title, f"It is set up otherwise than needed: {held.trouble}.", "Set the stream up as it should be.")
    size = f"{held.stored_bytes / MIB:.1f} of at most {held.max_bytes / MIB:.0f} MiB"
    told = f"{held.messages} messages, {size}; set up as needed."
    if name == names.EV_STREAM and _percent(held) >= EV_FULL_PERCENT:
        return warn(title, f"{_percent(held)} % full: {told}", "Raise its max_bytes or its disk.")
    return ok(title, told)


def _percent(held: HeldStream) -> int:
    return 100 * held.stored_bytes // held.max_bytes if held.max_bytes > 0 else 0


async def _outbox(bus: Bus, thread: DbThread, store: EventStore, service: str, shard: int) -> Check:
    """Everything committed now must be on EV in a moment."""
    title = f"outbox {service.replace('_', '-')}"
    publisher = JetStreamPublisher(bus, service=service, shard=shard)
    head = await thread.run(store.head_id)
    deadline_s = asyncio.get_running_loop().time() + PUBLISHED_WITHIN_S
    try:
        while (published := await publisher.last_published()) < head:
            if asyncio.get_running_loop().time() > deadline_s:
                told = f"EV holds its events up to {published}, PostgreSQL up to {head}."
                return fail(title, told, "See whether the service is ready and EV has room.")
            await asyncio.sleep(POLL_S)
    except GridkeeperError as error:
        return fail(title, error.detail or error.meaning, _SEE_SERVERS)
    return ok(title, f"Everything up to event {head} is published.")
