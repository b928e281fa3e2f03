"""Does for containers what `gridkeeper up` does by itself: a key, an account, an example grid, a run file."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from gridkeeper_bus.connection import connect
from gridkeeper_cli.child_plan import SERVICES as PROCESSES
from gridkeeper_cli.demo import ALIAS, MARKET, make_example_grid, set_up_account
from gridkeeper_cli.example_grid import create_example
from gridkeeper_cli.gridkeeper_toml import SYNTHETIC, AccountEntry
from gridkeeper_cli.own_run import own_run
from gridkeeper_cli.readiness import unready_reasons
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.keys import make_key_file
from gridkeeper_runtime.datadir import RunFile, RunningService, locked, write_run_file
from gridkeeper_runtime.files import write_private

KEY = Path("/keys/demo.json")
ACCOUNTS = Path("/keys/accounts.json")
PATIENCE_S = 60.0
PAUSE_S = 1.0
HEALTH_PORT = 9000
"""Of every container; deploy/entrypoint sets it."""


async def make_account(rpc_url: str) -> None:
    """The key and the account it owns, where they are missing; and the settings that execution reads."""
    entry = AccountEntry(authority=make_key_file(KEY), signer=f"file:{KEY}")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                was_made = await set_up_account(rpc_url, ALIAS, entry)
                break
            except GridkeeperError as error:
                sys.stderr.write(f"The sandbox is not there yet: {error}\n")
                await asyncio.sleep(PAUSE_S)
    settings = {ALIAS: {"authority": entry.authority, "signer": entry.signer, "owner_key": True}}
    write_private(ACCOUNTS, msgspec.json.encode(settings))
    sys.stdout.write(f"Account {ALIAS} {'was made' if was_made else 'is there'}.\n")


async def keep_desk(data_dir: Path, nats_url: str, postgres_url: str, rpc_url: str) -> None:
    """Open the example grid where there is no grid, and let commands find the services until it is asked to end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    run = own_run(
        nats_url,
        postgres_url,
        rpc_url=rpc_url,
        services={name: RunningService(pid=0, health_port=HEALTH_PORT, host=name) for name in PROCESSES},
    )
    with locked(data_dir, run.version):
        write_run_file(data_dir, run)
        opening = asyncio.create_task(_open_example(data_dir, run))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            opening.cancel()
            return
        sys.stdout.write(f"{opening.result() or 'The grids are those of the last start.'}\n")
        await stopping


async def _open_example(data_dir: Path, run: RunFile) -> str:
    await _until_ready(run)
    bus = await connect(run.nats_url, "gridkeeper-desk")
    try:
        return await create_example(bus, make_example_grid(data_dir, MARKET, ALIAS, SYNTHETIC))
    finally:
        await bus.close()


async def _until_ready(run: RunFile) -> None:
    """Each of them starts by itself and may wait for its servers first, so there is no time limit."""
    said = ""
    while reasons := await _unready(run):
        if reasons != said:
            said = reasons
            sys.stdout.write(f"Waiting for {said}\n")
        await asyncio.sleep(PAUSE_S)


async def _unready(run: RunFile) -> str:
    answers = {name: await unready_reasons(service.health_port, service.host) for name, service in run.services.items()}
    return "; ".join(f"{name}: {' '.join(reasons)}" for name, reasons in answers.items() if reasons)


def main(task: str) -> int:
    """`account` or `desk`; the exit code: 0 done, 1 failed."""
    # A container's first process ends on a signal only if it was told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        _run(task, os.environ["RPC_URL"])
    except GridkeeperError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(task: str, rpc_url: str) -> None:
    if task == "account":
        asyncio.run(make_account(rpc_url))
    else:
        nats_url, postgres_url = (
            Path(os.environ[f"{name}_URL_FILE"]).read_text().strip() for name in ("NATS", "POSTGRES")
        )
        asyncio.run(keep_desk(Path(os.environ["GRIDKEEPER_DATA_DIR"]), nats_url, postgres_url, rpc_url))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
