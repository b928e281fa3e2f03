"""What the doctor looks at on this machine, whether anything runs or not: programs, data directory, disk."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gridkeeper_cli.audit_logs import SERVICES
from gridkeeper_cli.doctor_check import Check, fail, ok, warn
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import RunFile, is_locked, read_run_file

GIB = 1024**3
DISK_WARN_BYTES = 5 * GIB
DISK_FAIL_BYTES = GIB
_OLDEST, _BEYOND = (3, 11), (3, 14)
_PRIVATE_MODE = 0o700
_LIBRARIES = ("core", "bus", "eventlog", "runtime", "drift", "shell")


def machine_checks(data_dir: Path) -> tuple[list[Check], RunFile | None]:
    """The checks, and how to reach what runs (None: nothing does)."""
    running, run = _running(data_dir)
    return [_python(), _packages(), _data_dir(data_dir), _disk(data_dir), running], run


def _python() -> Check:
    number = platform.python_version()
    if _OLDEST <= sys.version_info[:2] < _BEYOND:
        return ok("python", f"Python {number}.")
    return fail("python", f"Python {number}; 3.11 to 3.13 are supported.", "Install with `make setup`.")


def _packages() -> Check:
    members = [f"gridkeeper-{name.replace('_', '-')}" for name in ("cli", *_LIBRARIES, *SERVICES)]
    found: dict[str, list[str]] = {}
    for member in members:
        try:
            found.setdefault(version(member), []).append(member)
        except PackageNotFoundError:
            return fail("packages", f"{member} is not installed.", "Install with `make setup`.")
    if len(found) > 1:
        told = "; ".join(f"{number}: {', '.join(names)}" for number, names in found.items())
        return fail("packages", f"Versions are mixed. {told}.", "Install all of one release with `make setup`.")
    tools = ", ".join(f"{name} {version(name)}" for name in ("driftpy", "nats-py", "eventsourcing", "psycopg"))
    return ok("packages", f"Gridkeeper {next(iter(found))}; {tools}.")


def _data_dir(data_dir: Path) -> Check:
    if not data_dir.is_dir():
        return warn("data dir", f"{data_dir} does not exist yet.", "`gridkeeper up` makes it.")
    mode = data_dir.stat().st_mode & 0o777
    if mode & ~_PRIVATE_MODE:
        return warn("data dir", f"Others may look into {data_dir} (mode {mode:o}).", f"chmod 700 {data_dir}")
    holder = "in use" if is_locked(data_dir) else "not in use"
    return ok("data dir", f"{data_dir}, {holder}.")


def _disk(data_dir: Path) -> Check:
    place = next(folder for folder in (data_dir, *data_dir.parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    told = f"{free // (GIB // 10) / 10:.1f} GiB are free at {place}."
    if free < DISK_FAIL_BYTES:
        return fail("disk", told, "Make room: PostgreSQL and NATS stop when the disk is full.")
    if free < DISK_WARN_BYTES:
        return warn("disk", told, "Make room soon.")
    return ok("disk", told)


def _running(data_dir: Path) -> tuple[Check, RunFile | None]:
    try:
        run = read_run_file(data_dir)
    except GridkeeperError as error:
        if error.code != "NOT_RUNNING":
            return fail("running", str(error), error.do), None
        if is_locked(data_dir):
            return warn("running", "Gridkeeper is about to start or to stop.", "Ask again in a moment."), None
        return warn("running", "Nothing runs on this data directory.", "Start it with `gridkeeper up`."), None
    return ok("running", f"Release {run.version}, process {run.supervisor_pid}, since {run.started_at}."), run
