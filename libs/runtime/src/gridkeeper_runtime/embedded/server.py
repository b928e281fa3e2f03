"""What both embedded servers share: start until ready, stop, die with the parent, come back to the same port."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import process
from gridkeeper_runtime.files import write_private
from gridkeeper_runtime.ports import choose_port, is_free

_POLL_S = 0.02
_RETRY_S = 0.1


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens and how to enter; kept in the data dir so that a restart changes neither."""

    port: int
    password: str
    area: str = ""

    def __repr__(self) -> str:
        return f"Endpoint(port={self.port}, area={self.area!r})"


class EmbeddedServer(ABC):
    """One server process. `start` blocks until it takes connections; a supervisor uses the steps by themselves."""

    name: str
    stop_signal: signal.Signals = signal.SIGTERM

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self.fixed_port = port
        self.child: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Port and password; known after `prepare`."""
        assert self._endpoint is not None, "prepare() first"
        return self._endpoint

    @property
    def pid(self) -> int:
        """The running server's process id."""
        assert self.child is not None, "start() first"
        return self.child.pid

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.data_dir / "logs" / f"{self.name}.log"

    @abstractmethod
    def prepare(self) -> None:
        """Everything that comes before the process: folders, port, password, configuration, leftovers; blocks."""

    @abstractmethod
    def end_leftovers(self) -> None:
        """End whatever an earlier run of this server left behind, so that the next one can start."""

    @abstractmethod
    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process; see `process.spawn` for the thread to call it from."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the process we started takes connections now."""

    def start(self, *, within_s: float = 60.0) -> None:
        """Prepare, spawn and wait until ready; an early exit (a predecessor not quite gone) is tried again.

        Raises GridkeeperError SERVER_FAILED when it is not ready `within_s`.
        """
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self.prepare()  # at each attempt: somebody may have taken the port meanwhile
            self.spawn()
            if self._becomes_ready(deadline):
                return
            time.sleep(_RETRY_S)
        self.stop()
        raise GridkeeperError("SERVER_FAILED", field=self.name, do=f"See {self.log}.", detail=last_line(self.log))

    def stop(self, *, within_s: float = 20.0) -> None:
        """End the server in order; kill it when it takes longer than `within_s`."""
        if self.child is not None:
            process.stop(self.child, within_s=within_s, ask=self.stop_signal)

    def kill(self) -> None:
        """`kill -9`, as a crash would."""
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    @property
    def _endpoint_file(self) -> Path:
        return self.data_dir / f"{self.name}.json"

    def _last_endpoint(self) -> Endpoint | None:
        try:
            return msgspec.json.decode(self._endpoint_file.read_bytes(), type=Endpoint)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise GridkeeperError("BAD_FILE", field=str(self._endpoint_file), detail=str(error)) from error

    def _becomes_ready(self, deadline: float) -> bool:
        assert self.child is not None
        while self.child.poll() is None and time.monotonic() < deadline:
            if self.is_ready():
                return True
            time.sleep(_POLL_S)
        return False

    def _settle_endpoint(self, area: str = "") -> None:
        """Read port and password of the last start, or make them; take another port only where the choice is ours."""
        last = self._last_endpoint()
        port = self.fixed_port or (last.port if last else choose_port())
        if not is_free(port):
            if self.fixed_port:
                raise GridkeeperError("PORT_IN_USE", field=f"{self.name} port", value=port)
            port = choose_port()
        password = last.password if last else secrets.token_hex(16)
        self._endpoint = Endpoint(port=port, password=password, area=area or (last.area if last else ""))
        if self._endpoint != last:
            write_private(self._endpoint_file, msgspec.json.encode(self._endpoint))


def last_line(log: Path) -> str:
    """The last thing a server said before it went, for the error message."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
