"""Runs the whole of Gridkeeper as a user does, and looks at it from outside: by command, by request, by its records."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gridkeeper_bus.connection import connect
from gridkeeper_bus.requests import request
from gridkeeper_cli.account_file import read_account
from gridkeeper_cli.child_plan import SERVICES
from gridkeeper_cli.readiness import unready_reasons
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.quiet import TAPE_RUN_SUBJECT, TapeRun, TapeState
from gridkeeper_core.record import Recorded, decode
from gridkeeper_core.requests import AccountView, GridDetail, GridQuery
from gridkeeper_core.venue.records import VenueAccount
from gridkeeper_drift.opening import AccountConfig, drift_venue
from gridkeeper_eventlog.store import EventStore
from gridkeeper_runtime.datadir import RunFile, read_run_file

APPS = ("strategy_0", "execution_0", "ledger_0")
PAGE = 5_000
T = TypeVar("T")


class WholeSystem:
    """One `gridkeeper up` in a data directory of its own."""

    def __init__(self, data_dir: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.data_dir = data_dir
        self.process = process
        self.log = log

    @property
    def run_file(self) -> RunFile:
        """Where everything is."""
        return read_run_file(self.data_dir)

    def command(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and JSON of a `gridkeeper` command."""
        return command(self.data_dir, *arguments)

    def done(self, *arguments: str) -> Any:
        """The JSON of a command that succeeds."""
        code, told = self.command(*arguments)
        assert code == 0, told
        return told

    def ask(self, subject: str, body: bytes = b"") -> bytes:
        """The answer to a request."""

        async def once() -> bytes:
            bus = await connect(self.run_file.nats_url, "test")
            try:
                return await request(bus, subject, body)
            finally:
                await bus.close()

        return asyncio.run(once())

    def tape(self, rows: int | None = 0) -> TapeState:
        """Let so many rows of a held tape pass (None: all; 0: just ask)."""
        return msgspec.json.decode(self.ask(TAPE_RUN_SUBJECT, msgspec.json.encode(TapeRun(rows))), type=TapeState)

    def pass_rows(self, count: int | None, *, within_s: float = 90) -> None:
        """Let so many rows of a held tape pass (None: all), and wait until they have."""
        due = self.tape().rows_out + (count or 0)
        self.tape(count)

        def passed() -> bool:
            state = self.tape()
            return state.is_over if count is None else state.rows_out >= due and (state.is_held or state.is_over)

        self.until(passed, within_s=within_s)

    def until(self, what: Callable[[], T], *, within_s: float, every_s: float = 0.3) -> T:
        """Ask until the answer is true; services that are away meanwhile are waited for."""
        end_s = time.monotonic() + within_s
        while True:
            try:
                if answer := what():
                    return answer
            except (GridkeeperError, json.JSONDecodeError, OSError) as away:
                if time.monotonic() > end_s:
                    raise AssertionError(self.story()) from away
            if self.process.poll() is not None:
                raise AssertionError(f"up ended with {self.process.returncode}\n{self.story()}")
            assert time.monotonic() < end_s, self.story()
            time.sleep(every_s)

    def story(self) -> str:
        """What was printed and logged, for a failing test."""
        logs = sorted((self.data_dir / "logs").glob("*.log"))
        tails = [f"== {path.name}\n" + "\n".join(path.read_text().splitlines()[-6:]) for path in logs]
        return "\n".join([self.log.read_text()[-2_000:], *tails])[-12_000:]

    def events(self, *apps: str) -> list[Recorded]:
        """Everything the services recorded, app by app."""
        found: list[Recorded] = []
        for app in apps or APPS:
            store = EventStore(self.run_file.postgres_url, app)
            try:
                after = 0
                while page := store.select(after, PAGE):
                    found += [decode(row.state) for row in page]
                    after = page[-1].id
            finally:
                store.close()
        return found

    def grid(self, grid_id: str) -> GridDetail:
        """A grid as strategy sees it now."""
        answer = self.ask("query.0.strategy.grid", msgspec.json.encode(GridQuery(id=grid_id)))
        return msgspec.json.decode(answer, type=GridDetail)

    def accounts(self) -> dict[str, AccountView]:
        """The accounts that execution has met, as it sees them now."""
        accounts = msgspec.json.decode(self.ask("query.0.execution.accounts"), type=list[AccountView])
        return {account.alias: account for account in accounts}

    def account(self, alias: str = "main") -> AccountView:
        """One of them."""
        account = self.accounts().get(alias)
        if account is None:
            raise GridkeeperError("ACCOUNT_UNKNOWN", detail="Execution has not met its account yet.")
        return account

    def unready(self) -> dict[str, list[str]]:
        """Why services cannot be worked with, by service; empty when all can."""
        services = self.run_file.services

        async def ask() -> list[list[str]]:
            return await asyncio.gather(*(unready_reasons(service.health_port) for service in services.values()))

        told = {name: why for name, why in zip(services, asyncio.run(ask()), strict=True) if why}
        return told | {name: ["It does not run."] for name in SERVICES if name not in services}

    def reconcile(self, alias: str = "main") -> AccountView:
        """Let execution compare record and venue now."""
        self.ask("query.0.execution.reconcile")
        return self.account(alias)

    def venue_account(self, alias: str = "main") -> VenueAccount:
        """An account as the chain has it, read without Gridkeeper's services."""
        entry = read_account(self.data_dir, None, alias)
        config = AccountConfig(alias, entry.authority, entry.sub_account, entry.signer, owner_key=True)

        async def read() -> VenueAccount:
            async with drift_venue(self.run_file.rpc_url, [config]) as venue:
                return venue.account_of(await venue.poll(), alias)

        return asyncio.run(read())

    def kill(self, name: str) -> None:
        """`kill -9` one service or server."""
        os.kill(self.pid(name), signal.SIGKILL)

    def pid(self, name: str) -> int:
        """The process of a service, of `nats-server` or `postgres`. Raises ProcessLookupError while there is none."""
        service = self.run_file.services.get(name)  # read once: it may be gone the next time
        if service is not None:
            return service.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            if name in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0].decode():
                return int(child)
        raise ProcessLookupError(name)

    def exits(self) -> list[tuple[str, str]]:
        """Child and reason of every end that nobody asked for."""
        entries = [json.loads(line) for line in (self.data_dir / "logs" / "up.log").read_text().splitlines()]
        return [(entry["child"], entry["reason"]) for entry in entries if entry["message"].startswith("Ended")]

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=40)


def command(data_dir: Path, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON of a `gridkeeper` command."""
    argv = [sys.executable, "-m", "gridkeeper_cli", "--data-dir", str(data_dir), "--json", *arguments]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout)


_data_dirs: set[Path] = set()


@atexit.register
def _remove_clusters() -> None:
    """As root PostgreSQL's files lie outside of the data directory, and would stay behind for ever."""
    for data_dir in _data_dirs:
        pointer = data_dir / "postgres.json"
        if pointer.exists():
            shutil.rmtree(json.loads(pointer.read_bytes())["area"], ignore_errors=True)


@contextmanager
def running(data_dir: Path, *arguments: str) -> Iterator[WholeSystem]:
    """Gridkeeper, until the block ends."""
    data_dir.mkdir(parents=True, exist_ok=True)
    _data_dirs.add(data_dir)
    log = data_dir.parent / f"{data_dir.name}.out"
    argv = [sys.executable, "-m", "gridkeeper_cli", "--data-dir", str(data_dir), "up", "--no-live-view", *arguments]
    with log.open("ab") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True)
    system = WholeSystem(data_dir, process, log)
    try:
        yield system
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
