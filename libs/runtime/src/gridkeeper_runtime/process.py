"""Starts, stops and recognises operating-system processes that must not outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

LAUNCH = Path(__file__).with_name("launch.py")
LOG_BYTES_MAX = 16 * 1024 * 1024


class SystemUser(msgspec.Struct, frozen=True):
    """Whom a child runs as."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: SystemUser | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a direct child in its own session whose output is appended to `log`.

    `argv[0]` is an absolute path. Call it from a thread that lives as long as the child should: the kernel sends
    `death_signal` when that *thread* ends.
    """
    uid, gid = (user.uid, user.gid) if user else (-1, -1)
    launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(death_signal)), str(uid), str(gid)]
    with open_log(log) as output:
        return subprocess.Popen(
            [*launch, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(os.environ if env is None else env),
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops its children in order
        )


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending, 0600; one that has grown large is set aside as `<name>.1` first."""
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.rename(path.with_name(path.name + ".1"))
    return open(path, "ab", opener=_private_opener)  # pathlib has no opener


def stop(child: subprocess.Popen[bytes], *, within_s: float, ask: signal.Signals = signal.SIGTERM) -> int:
    """Ask the child to end, kill it when it has not after `within_s`, and return its exit code."""
    if child.poll() is None:
        child.send_signal(ask)
        try:
            return child.wait(within_s)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _answers_signal(pid) and not Path("/proc/self/stat").exists()
    return status.rpartition(")")[2].split()[0] != "Z"


def command_line(pid: int) -> tuple[str, ...]:
    """The arguments the process was started with; empty when it is gone or not ours to see."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(part.decode(errors="replace") for part in raw.split(b"\0") if part)


def end_leftover(pid: int, *, ask: signal.Signals, within_s: float) -> bool:
    """End a process that is not our child; true when it is gone."""
    deadline = time.monotonic() + within_s
    for wish in (ask, signal.SIGKILL):
        try:
            os.kill(pid, wish)
        except ProcessLookupError:
            return True
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not is_alive(pid):
            return True
        deadline += within_s
    return False


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _answers_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
