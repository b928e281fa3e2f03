"""One file that holds everything a data directory needs to trade again, and how to come back from it."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gridkeeper_cli.audit_logs import SERVICES
from gridkeeper_cli.documents import iso_now
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.record import hash_of
from gridkeeper_eventlog.store import EventStore, StreamHead
from gridkeeper_runtime.embedded.postgres_home import wheel_programs
from gridkeeper_runtime.files import make_private_directory

MANIFEST = "manifest.json"
DUMP = "postgres.dump"
_FILES = "data/"
# Made anew at the next start, or large and made again from PostgreSQL (nats), or of this machine alone.
_LEFT_OUT = {"nats", "postgres", "logs", "lock", "run.json", "ports.json", "nats.json", "postgres.json", "access.json"}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the backup holds. `heads`: app -> stream -> head; `sha256`: member -> hash of its bytes."""

    version: str
    made_at: str
    heads: dict[str, dict[str, StreamHead]]
    sha256: dict[str, str]

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return sum(len(heads) for heads in self.heads.values())

    @property
    def events(self) -> int:
        """How many events it holds at least; what was recorded while it was made comes on top."""
        return sum(head.version for heads in self.heads.values() for head in heads.values())


def write_backup(target: Path, data_dir: Path, postgres_url: str, version: str) -> Manifest:
    """Write the file (0600), whole or not at all; Gridkeeper may run. It holds the signing keys of the data dir.

    PostgreSQL is dumped first and the rest is copied after it, so that nothing copied is older than the events: the
    venue's records that are newer are walked again. Raises GridkeeperError BAD_FILE, SERVER_FAILED, STORE_LOST.
    """
    if target.exists():
        raise GridkeeperError("BAD_FILE", field="file", value=target, expected="a file that is not there yet")
    heads = read_heads(postgres_url)
    draft = target.with_name(target.name + ".part")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        dump = Path(folder) / DUMP
        _run_client("pg_dump", postgres_url, "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}")
        with open(draft, "wb", opener=_private) as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            hashes = dict(_members(archive, {DUMP: dump} | _data_files(data_dir)))
            manifest = Manifest(
                version=version,
                made_at=iso_now(),
                heads=heads,
                sha256=hashes,
            )
            _add(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    draft.rename(target)
    return manifest


@contextmanager
def unpacked(backup: Path) -> Iterator[tuple[Manifest, Path]]:
    """The backup in a private folder, each file proven against its hash. Raises GridkeeperError BAD_FILE."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(backup, mode="r:gz") as archive:
                archive.extractall(folder, filter="data")
            manifest = msgspec.json.decode((Path(folder) / MANIFEST).read_bytes(), type=Manifest)
        except (OSError, EOFError, tarfile.TarError, msgspec.MsgspecError) as error:
            raise GridkeeperError("BAD_FILE", field="file", value=backup, detail=str(error)) from error
        for name, expected in manifest.sha256.items():
            if not (Path(folder) / name).is_file() or hash_of((Path(folder) / name).read_bytes()) != expected:
                raise GridkeeperError("BAD_FILE", field="file", value=backup, detail=f"{name} in it is damaged.")
        yield manifest, Path(folder)


def place_files(folder: Path, data_dir: Path) -> None:
    """Put the files of an unpacked backup to their places in an empty data dir, for this user only."""
    make_private_directory(data_dir)
    for source in sorted((folder / _FILES).rglob("*")):
        target = data_dir / source.relative_to(folder / _FILES)
        if source.is_dir():
            make_private_directory(target)
        else:
            make_private_directory(target.parent)
            target.touch(mode=0o600)
            target.write_bytes(source.read_bytes())


def load_dump(folder: Path, postgres_url: str) -> None:
    """Fill an empty database. Raises GridkeeperError SERVER_FAILED."""
    _run_client("pg_restore", postgres_url, "--no-owner", "--no-privileges", "--exit-on-error", str(folder / DUMP))


def read_heads(postgres_url: str) -> dict[str, dict[str, StreamHead]]:
    """App -> stream -> head, for every log there is. Raises GridkeeperError STORE_LOST."""
    heads: dict[str, dict[str, StreamHead]] = {}
    for service in SERVICES:
        app = names.app_name(service, 0)
        store = EventStore(postgres_url, app)
        try:
            store.open()
            heads[app] = store.heads()
        finally:
            store.close()
    return heads


def missing(manifest: Manifest, postgres_url: str) -> list[str]:
    """The streams that do not hold what the manifest says they held."""
    found: list[str] = []
    for app, heads in manifest.heads.items():
        store = EventStore(postgres_url, app)
        try:
            store.open()
            for name, head in heads.items():
                rows = store.stream(name, head.version - 1, 1)
                if not rows or hash_of(rows[0].state) != head.hash:
                    found.append(name)
        finally:
            store.close()
    return found


def _members(archive: tarfile.TarFile, files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for name, path in files.items():
        # Read once: a file that still grows must not change between its hash and its copy.
        content = path.read_bytes()
        _add(archive, name, content)
        yield name, hash_of(content)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o600
    archive.addfile(member, io.BytesIO(content))


def _data_files(data_dir: Path) -> dict[str, Path]:
    return {
        _FILES + str(path.relative_to(data_dir)): path
        for path in sorted(data_dir.rglob("*"))
        if path.is_file() and path.relative_to(data_dir).parts[0] not in _LEFT_OUT
    }


def _run_client(program: str, postgres_url: str, *options: str) -> None:
    done = subprocess.run(
        [str(wheel_programs() / program), *options, f"--dbname={postgres_url}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise GridkeeperError("SERVER_FAILED", field=program, detail=last)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
