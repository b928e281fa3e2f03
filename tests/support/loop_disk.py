"""A small disk of a test's own, whose power can be cut and which can be filled: ext4 in a file, so only for root."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from support.servers import private_folder

MIB = 1024 * 1024
_EXT4_IOC_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSHING_THE_JOURNAL = 2
_RELEASE_WITHIN_S = 10.0
_STEP_BYTES = 64 * 1024


class LoopDisk:
    """Mounted at `place`. Programs that use it must be ended before `power_on` and `remove`."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.place = folder / "disk"
        self._image = folder / "disk.img"
        self._ballast = self.place / "ballast"
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(mebibytes * MIB)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self.mount()

    def cut_power(self) -> None:
        """What was not flushed is gone, and nothing more is written: as when the plug is pulled."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _EXT4_IOC_SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING_THE_JOURNAL))
        finally:
            os.close(handle)

    def power_on(self) -> None:
        """Come back with what had reached the disk."""
        self.unmount()
        self.mount()

    def fill(self, *, leave_bytes: int) -> None:
        """Take all room but so much; `make_room` gives it back."""
        with self._ballast.open("wb", buffering=0) as ballast:
            # The file system keeps some blocks for its own tables, so the last bit is found out by trying.
            free = os.statvfs(self.place)
            size = free.f_bavail * free.f_frsize
            while not _has_reserved(ballast.fileno(), size):
                size -= _STEP_BYTES
            with suppress(OSError):
                for at in count(size, _STEP_BYTES):
                    os.pwrite(ballast.fileno(), bytes(_STEP_BYTES), at)
            ballast.truncate(ballast.seek(0, os.SEEK_END) - leave_bytes)
            os.fsync(ballast.fileno())

    def make_room(self) -> None:
        """Undo `fill`."""
        self._ballast.unlink()

    def move_to(self, place: Path) -> None:
        """Mount it elsewhere instead, with what is on it."""
        self.unmount()
        self.place = place
        self._ballast = place / "ballast"
        self.mount()

    def mount(self) -> None:
        """Where it was."""
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def unmount(self) -> None:
        """As soon as the last program has let go of it."""
        deadline = time.monotonic() + _RELEASE_WITHIN_S
        while self.place.is_mount():
            done = subprocess.run(["umount", str(self.place)], check=False, capture_output=True)
            if done.returncode != 0:
                assert time.monotonic() < deadline, done.stderr
                time.sleep(0.1)


@contextmanager
def loop_disk(mebibytes: int) -> Iterator[LoopDisk]:
    """A fresh disk; the test is skipped where none can be made."""
    with private_folder() as folder:
        try:
            disk = LoopDisk(folder, mebibytes)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"a disk of its own needs root, mkfs.ext4 and loop devices: {error}")
        try:
            yield disk
        finally:
            disk.unmount()


def _has_reserved(handle: int, size_bytes: int) -> bool:
    try:
        os.posix_fallocate(handle, 0, size_bytes)
    except OSError:
        return False
    return True


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
