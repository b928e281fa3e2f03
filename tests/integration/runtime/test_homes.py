"""Where the servers live: for root and for an ordinary user, in 700 homes, after crashes, copies and stolen ports."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psycopg
import pytest

import gridkeeper_core
import gridkeeper_runtime
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres
from gridkeeper_runtime.embedded.postgres_home import copied_programs, wheel_root
from gridkeeper_runtime.process import is_alive
from support.servers import FAST_SETTINGS, RunningNats, RunningPostgres, private_folder, running_postgres

pytestmark = pytest.mark.servers
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user's places to make")


@root_only
def test_as_root_in_a_700_home_no_parents_mode_changes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    data_dir = home / "share" / "gridkeeper"
    parents = [*data_dir.parents, wheel_root(), *wheel_root().parents]
    before = {folder: folder.stat().st_mode for folder in parents if folder.exists()}

    server = EmbeddedPostgres(data_dir, settings=FAST_SETTINGS)
    server.start()
    try:
        assert {folder: folder.stat().st_mode for folder in before} == before
        assert server.home.user is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == server.home.user.uid != 0
        assert server.home.area.stat().st_mode & 0o777 == 0o700
        assert server.home.area == Path(server.endpoint.area)
    finally:
        server.stop()
        shutil.rmtree(server.home.area, ignore_errors=True)


@root_only
def test_an_ordinary_user_in_a_700_home_has_everything_under_the_data_dir(postgres_server: RunningPostgres) -> None:
    """Run by another interpreter, because root's own lies where an ordinary user cannot go."""
    python = Path(f"/usr/bin/python3.{sys.version_info.minor}")
    if not python.exists():
        pytest.skip(f"there is no {python} an ordinary user could run")
    nobody = pwd.getpwnam("nobody")
    with private_folder() as readable, private_folder() as home:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        readable.chmod(0o755)
        for package in (gridkeeper_core, gridkeeper_runtime, msgspec):
            source = Path(package.__path__[0])
            shutil.copytree(source, readable / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        wheel = postgres_server.server.home.programs.parents[2]
        done = subprocess.run(
            [python, "-c", _AS_ORDINARY_USER, home / "share", wheel],
            env={"PYTHONPATH": str(readable), "HOME": str(home)},
            user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], cwd="/",
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{home}/share/postgres\n"
        assert home.stat().st_mode & 0o777 == 0o700


_AS_ORDINARY_USER = """
import os, sys
from pathlib import Path
from gridkeeper_runtime.embedded.postgres_server import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"}, wheel=Path(sys.argv[2]))
server.start()
assert server.home.user is None
assert Path(f"/proc/{server.pid}").stat().st_uid == os.geteuid() != 0
server.kill()
server.start()
server.stop()
print(server.home.area)
"""


@root_only
def test_two_starts_may_copy_the_programs_at_once() -> None:
    with private_folder() as system_dir, ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: copied_programs(wheel_root(), system_dir), range(2))

        assert first == second
        assert subprocess.run([first / "postgres", "--version"], check=False).returncode == 0
        assert [entry.name[0] for entry in system_dir.iterdir()] == ["p"]  # no draft is left


@root_only
def test_a_copied_data_dir_cannot_take_its_originals_cluster(postgres_server: RunningPostgres) -> None:
    original = postgres_server.server
    with private_folder() as copy:
        shutil.copy(original.data_dir / "postgres.json", copy)

        with pytest.raises(GridkeeperError, match="DATA_DIR_LOCKED"):
            EmbeddedPostgres(copy).start()

    assert is_alive(original.pid)


def test_a_fixed_port_in_use_is_an_error_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(GridkeeperError, match=rf"PORT_IN_USE.*{port}"):
            EmbeddedNats(tmp_path, port=port).start()


def test_a_port_of_our_own_choice_that_was_taken_is_chosen_anew(nats_server: RunningNats) -> None:
    nats_server.stop()
    port = nats_server.server.endpoint.port
    with socket.create_server(("127.0.0.1", port)):
        nats_server.restart()

    assert nats_server.server.endpoint.port != port


def test_servers_left_by_a_lost_supervisor_make_way(nats_server: RunningNats, tmp_path: Path) -> None:
    left = nats_server.server
    successor = EmbeddedNats(left.data_dir)
    successor.start()
    try:
        assert not is_alive(left.pid)
        assert successor.endpoint == left.endpoint
    finally:
        successor.stop()


def test_a_stale_pid_file_that_names_a_living_stranger_does_not_stop_postgres() -> None:
    with running_postgres() as running:
        running.kill()
        pid_file = running.server.cluster / "postmaster.pid"
        lines = pid_file.read_text().splitlines(keepends=True)
        with subprocess.Popen(
            ["/bin/sleep", "600"], user=running.server.home.user.uid if running.server.home.user else None
        ) as stranger:
            try:
                pid_file.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
                running.restart()
                assert stranger.poll() is None
                with psycopg.connect(running.url) as connection:
                    assert connection.execute("SELECT 1").fetchone() == (1,)
            finally:
                stranger.kill()


def test_a_path_too_long_for_a_socket_goes_without_one() -> None:
    with private_folder() as folder:
        folder.chmod(0o755)  # the server's user passes through it
        long = folder / ("long" * 25)
        server = EmbeddedPostgres(long / "data", settings=FAST_SETTINGS, system_dir=long / "system")
        server.start()
        server.stop()

        assert not (server.home.area / "socket").exists()


def test_secrets_are_for_the_owner_only(nats_server: RunningNats) -> None:
    folder = nats_server.server.data_dir
    for file in (folder / "nats.json", folder / "nats" / "nats.conf", folder / "logs" / "nats.log"):
        assert file.stat().st_mode & 0o777 == 0o600, file
