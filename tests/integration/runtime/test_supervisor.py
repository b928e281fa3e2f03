"""The supervisor keeps its children running, knows when to give up, and leaves nobody behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.embedded import EmbeddedNats
from gridkeeper_runtime.process import is_alive
from gridkeeper_runtime.supervisor import ChildSpec, ChildStatus, Supervisor
from support import supervised
from support.servers import eventually

WAITS = supervised.WAITS


async def test_a_child_that_ends_is_started_again(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start_child(_service(WAITS))
        first = _only(supervisor).pid
        assert first is not None

        os.kill(first, signal.SIGKILL)

        await eventually(lambda: _only(supervisor).pid not in (None, first))
        assert _only(supervisor).restarts == 1


async def test_a_child_that_ends_five_times_in_a_minute_stays_down_and_says_so(tmp_path: Path) -> None:
    seen: list[ChildStatus] = []
    async with Supervisor(tmp_path, changed=seen.append) as supervisor:
        await supervisor.start_child(_service("import sys; sys.exit('no such market')"))

        await eventually(lambda: _only(supervisor).state == "failed", within_s=20)

        assert _only(supervisor).restarts == 4
        assert "exit code 1" in _only(supervisor).reason
        assert "no such market" in _only(supervisor).reason
    assert seen[-1].state == "failed"


async def test_children_end_in_order_the_last_started_first(tmp_path: Path) -> None:
    ended: list[str] = []

    def changed(status: ChildStatus) -> None:
        if status.state == "stopped":
            ended.append(status.name)

    async with Supervisor(tmp_path, changed=changed) as supervisor:
        for name in ("first", "second", "third"):
            await supervisor.start_child(_service(WAITS, name=name))

    assert ended == ["third", "second", "first"]


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start_child(_service(deaf, stop_within_s=0.1))
        await eventually(lambda: b"deaf" in (tmp_path / "logs" / "service.log").read_bytes())
        pid = _only(supervisor).pid

    assert pid is not None
    assert not is_alive(pid)


async def test_until_ends_when_asked(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start_child(_service(WAITS))
        running = asyncio.create_task(supervisor.until(stop))

        stop.set()

        await asyncio.wait_for(running, 5)


@pytest.mark.servers
async def test_a_server_that_cannot_start_is_an_error_that_names_it(tmp_path: Path) -> None:
    class _Misconfigured(EmbeddedNats):
        def prepare(self) -> None:
            super().prepare()
            (self.folder / "nats.conf").write_text("no such setting {")

    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(GridkeeperError, match=r"SERVER_FAILED.*nats") as raised:
            await supervisor.start_servers([_Misconfigured(tmp_path)])
    assert "exit code" in raised.value.detail


@pytest.mark.servers
async def test_no_child_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with _small_gridkeeper(tmp_path) as (supervisor, pids):
        assert set(pids) == {"nats", "postgres", "waiter"}
        supervisor.kill()
        supervisor.wait()

        for pid in pids.values():
            await eventually(partial(_is_dead, pid))


@pytest.mark.servers
async def test_a_killed_supervisor_can_be_started_again_at_once(tmp_path: Path) -> None:
    with _small_gridkeeper(tmp_path) as (supervisor, _):
        supervisor.kill()
        supervisor.wait()
    with _small_gridkeeper(tmp_path) as (supervisor, pids):
        assert all(is_alive(pid) for pid in pids.values())
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(20) == 0
        assert not any(is_alive(pid) for pid in pids.values())


@pytest.mark.servers
def test_a_second_start_on_the_same_data_dir_is_refused(tmp_path: Path) -> None:
    with _small_gridkeeper(tmp_path) as (first, _):
        second = subprocess.run(_command(tmp_path), capture_output=True, text=True, timeout=30, check=False)

        assert second.returncode == 1
        assert "DATA_DIR_LOCKED" in second.stderr
        assert str(first.pid) in second.stderr
        assert first.poll() is None


@contextmanager
def _small_gridkeeper(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    with subprocess.Popen(_command(data_dir), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as supervisor:
        try:
            assert supervisor.stdout is not None
            said = msgspec.json.decode(supervisor.stdout.readline())
            _AREAS.add(said["area"])
            yield supervisor, said["pids"]
        finally:
            supervisor.terminate()
            supervisor.wait(30)


_AREAS: set[str] = set()


@pytest.fixture(autouse=True, scope="module")
def _no_cluster_is_left_behind() -> Iterator[None]:
    """As root a cluster lies outside of its data dir."""
    yield
    for area in _AREAS:
        shutil.rmtree(area, ignore_errors=True)


def _command(data_dir: Path) -> list[str]:
    return [sys.executable, supervised.__file__, str(data_dir)]


def _service(code: str, *, name: str = "service", stop_within_s: float = 10.0) -> ChildSpec:
    return ChildSpec(name=name, argv=(sys.executable, "-c", code), env={}, stop_within_s=stop_within_s)


def _only(supervisor: Supervisor) -> ChildStatus:
    (status,) = supervisor.status()
    return status


def _is_dead(pid: int) -> bool:
    return not is_alive(pid)
