"""The data directory: which one, who uses it, and where a running Gridkeeper says how to reach it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.files import make_private_directory, write_private

VARIABLE = "GRIDKEEPER_DATA_DIR"


class RunningService(msgspec.Struct, frozen=True, kw_only=True):
    """One service of a running Gridkeeper. In a container of its own it has a host's name, and no pid here (0)."""

    pid: int
    health_port: int
    host: str = "127.0.0.1"


class RunFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`run.json`: how to reach a running Gridkeeper; both server URLs hold their password.

    `started_at` is ISO 8601, UTC.
    """

    version: str
    started_at: str
    supervisor_pid: int
    nats_url: str
    postgres_url: str
    rpc_url: str = ""
    services: dict[str, RunningService] = {}

    def __repr__(self) -> str:
        return f"RunFile(version={self.version!r}, supervisor_pid={self.supervisor_pid}, services={self.services!r})"


def resolve_data_dir(option: str | Path | None, env: Mapping[str, str]) -> Path:
    """`--data-dir`, then `GRIDKEEPER_DATA_DIR`, then `gridkeeper` in the user's data folder."""
    chosen = option or env.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = env.get("XDG_DATA_HOME", "")
    # The desktop specification says that a relative path there is to be ignored.
    root = Path(base) if base.startswith("/") else Path("~/.local/share").expanduser()
    return root / "gridkeeper"


@contextmanager
def locked(data_dir: Path, version: str) -> Iterator[None]:
    """Hold the data dir (made where missing) for this process; the kernel lets go of it however the process ends.

    Raises GridkeeperError DATA_DIR_LOCKED, or DATA_DIR_VERSION when a newer release wrote it.
    """
    make_private_directory(data_dir)
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked_by(data_dir) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        _claim_version(data_dir, version)
        try:
            yield
        finally:
            remove_run_file(data_dir)


def is_locked(data_dir: Path) -> bool:
    """Whether some process holds the data dir now."""
    try:
        with (data_dir / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def write_run_file(data_dir: Path, run: RunFile) -> None:
    """Say how to reach us, to this user only."""
    write_private(_run_file(data_dir), msgspec.json.format(msgspec.json.encode(run), indent=2))


def read_run_file(data_dir: Path) -> RunFile:
    """How to reach the Gridkeeper that runs on this data dir; raises GridkeeperError NOT_RUNNING when none does."""
    try:
        content = _run_file(data_dir).read_bytes()
    except FileNotFoundError:
        raise GridkeeperError("NOT_RUNNING", field="data dir", value=data_dir) from None
    if not is_locked(data_dir):  # a leftover: the one who wrote it was killed
        raise GridkeeperError("NOT_RUNNING", field="data dir", value=data_dir)
    try:
        return msgspec.json.decode(content, type=RunFile)
    except msgspec.MsgspecError as error:
        raise GridkeeperError("BAD_FILE", field=str(_run_file(data_dir)), detail=str(error)) from error


def remove_run_file(data_dir: Path) -> None:
    """Nobody can be reached any more."""
    _run_file(data_dir).unlink(missing_ok=True)


def _run_file(data_dir: Path) -> Path:
    return data_dir / "run.json"


def _locked_by(data_dir: Path) -> GridkeeperError:
    holder = (data_dir / "lock").read_text().strip() or "unknown"
    return GridkeeperError(
        "DATA_DIR_LOCKED", field="data dir", value=data_dir, detail=f"Process {holder} uses this data directory."
    )


def _claim_version(data_dir: Path, version: str) -> None:
    path = data_dir / "version"
    last = path.read_text().strip() if path.exists() else ""
    if last and _release(last) > _release(version):
        raise GridkeeperError("DATA_DIR_VERSION", field="data dir", value=data_dir, expected=f"{last} or newer")
    if last != version:
        write_private(path, f"{version}\n".encode())


def _release(version: str) -> tuple[int, ...]:
    """Major and minor: patch releases keep the layout."""
    try:
        return tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        raise GridkeeperError("BAD_VALUE", field="version", value=version, expected="like 1.2.3") from None
