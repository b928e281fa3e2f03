"""Keeps the embedded servers and the services running as processes of their own, and ends them in order."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import logs, process
from gridkeeper_runtime.embedded.server import EmbeddedServer, last_line
from gridkeeper_runtime.files import make_private_directory
from gridkeeper_runtime.restart import Exit, RestartPolicy, ServerPolicy, ServicePolicy

State = Literal["starting", "running", "waiting", "failed", "stopped"]
_POLL_S = 0.05
_log = logs.Logger("supervisor")


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A service to run: `argv[0]` is an absolute path, `env` its whole environment."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    stop_within_s: float = 20.0

    def __repr__(self) -> str:  # the environment holds passwords
        return f"ChildSpec(name={self.name!r}, argv={self.argv!r})"


class ChildStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the live view. `waiting`: between two starts; `failed`: stays down, `reason` says why."""

    name: str
    state: State
    pid: int | None
    restarts: int
    reason: str = ""


class Supervisor:
    """Use as `async with`, from the main thread; leaving it ends every child, the last started first.

    `changed` is called in the event loop at every change of a child's state.
    """

    def __init__(self, data_dir: Path, *, changed: Callable[[ChildStatus], None] = lambda _: None) -> None:
        self._logs = data_dir / "logs"
        self._changed = changed
        self._watches: list[_Watch] = []

    async def __aenter__(self) -> Self:
        make_private_directory(self._logs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watch in reversed(self._watches):
            await watch.stop()

    async def start_servers(self, servers: Sequence[EmbeddedServer]) -> None:
        """Start them side by side and return when all take connections; raises GridkeeperError when one cannot."""
        await asyncio.gather(*(asyncio.to_thread(server.prepare) for server in servers))
        await asyncio.gather(*(self._watch(_Server(server), ServerPolicy()) for server in servers))

    async def start_child(self, spec: ChildSpec) -> None:
        """Start a service; whether it is ready its own health endpoint tells."""
        await self._watch(_Service(spec, self._logs / f"{spec.name}.log"), ServicePolicy())

    async def until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raises what went wrong in the supervisor itself."""
        waiting = asyncio.ensure_future(stop.wait())
        try:
            tasks = {watch.task for watch in self._watches if watch.task is not None}
            while not waiting.done():
                done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {waiting}:
                    task.result()  # a child that stays down is no error of ours; anything else is
                tasks -= done
        finally:
            waiting.cancel()

    def status(self) -> tuple[ChildStatus, ...]:
        """Every child, in the order they were started."""
        return tuple(watch.status() for watch in self._watches)

    async def _watch(self, program: _Program, policy: RestartPolicy) -> None:
        watch = _Watch(program, policy, self._changed)
        self._watches.append(watch)
        await watch.start()


class _Program(Protocol):
    name: str
    log: Path

    def clear_the_way(self) -> None:
        """Before a start that is not the first; blocks."""

    def spawn(self) -> subprocess.Popen[bytes]: ...

    def is_ready(self) -> bool:
        """Blocks for a moment."""

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Ask it to end, kill it when it does not; blocks."""


class _Service:
    def __init__(self, spec: ChildSpec, log: Path) -> None:
        self.name = spec.name
        self.log = log
        self._spec = spec

    def clear_the_way(self) -> None:
        """A service leaves nothing behind that hinders its successor."""

    def spawn(self) -> subprocess.Popen[bytes]:
        return process.spawn(self._spec.argv, log=self.log, env=self._spec.env)

    def is_ready(self) -> bool:
        return True

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        process.stop(child, within_s=self._spec.stop_within_s)


class _Server:
    def __init__(self, server: EmbeddedServer) -> None:
        self.name = server.name
        self.log = server.log
        self._server = server
        self.clear_the_way = server.end_leftovers
        self.spawn = server.spawn
        self.is_ready = server.is_ready

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        assert child is self._server.child
        self._server.stop()


class _Watch:
    """One child: starts it again as its policy says, until told to stop."""

    def __init__(self, program: _Program, policy: RestartPolicy, changed: Callable[[ChildStatus], None]) -> None:
        self.task: asyncio.Task[None] | None = None
        self._program = program
        self._policy = policy
        self._changed = changed
        self._child: subprocess.Popen[bytes] | None = None
        self._state: State = "starting"
        self._reason = ""
        self._restarts = 0
        self._started_at_s = time.monotonic()
        self._first_ready = asyncio.Event()

    async def start(self) -> None:
        """Return when the program was ready once; raises GridkeeperError SERVER_FAILED when it gave up before that."""
        self.task = asyncio.create_task(self._keep_running(), name=self._program.name)
        ready = asyncio.ensure_future(self._first_ready.wait())
        try:
            await asyncio.wait({ready, self.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._first_ready.is_set():
            self.task.result()
            raise GridkeeperError("SERVER_FAILED", field=self._program.name, detail=self._reason)

    async def stop(self) -> None:
        """End the child, asking first."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        if self._child is not None:
            await asyncio.to_thread(self._program.stop, self._child)
        if self._state != "failed":
            self._enter("stopped")

    def status(self) -> ChildStatus:
        alive = self._child is not None and self._child.poll() is None
        return ChildStatus(
            name=self._program.name,
            state=self._state,
            pid=self._child.pid if self._child is not None and alive else None,
            restarts=self._restarts,
            reason=self._reason,
        )

    async def _keep_running(self) -> None:
        while True:
            exit_ = await self._run_once()
            pause_s = self._policy.pause_s(exit_)
            self._reason = _sentence(exit_, last_line(self._program.log))
            if pause_s is None:
                _log.error("Ended too often and stays down.", child=self._program.name, reason=self._reason)
                self._enter("failed")
                return
            _log.warning("Ended and is started again.", child=self._program.name, reason=self._reason)
            self._enter("waiting")
            await asyncio.sleep(pause_s)
            await asyncio.to_thread(self._program.clear_the_way)
            self._restarts += 1

    async def _run_once(self) -> Exit:
        self._started_at_s = time.monotonic()
        child = self._child = self._program.spawn()
        self._enter("starting")
        was_ready = False
        while child.poll() is None:
            if not was_ready and await asyncio.to_thread(self._program.is_ready):
                was_ready = True
                self._first_ready.set()
                self._enter("running")
            await asyncio.sleep(_POLL_S)
        at_s = time.monotonic()
        return Exit(at_s=at_s, up_s=at_s - self._started_at_s, code=child.returncode, was_ready=was_ready)

    def _enter(self, state: State) -> None:
        self._state = state
        self._changed(self.status())


def _sentence(exit_: Exit, last: str) -> str:
    how = f"killed by signal {-exit_.code}" if exit_.code < 0 else f"exit code {exit_.code}"
    return f"{how} after {exit_.up_s:.1f} s" + (f": {last}" if last else "")
