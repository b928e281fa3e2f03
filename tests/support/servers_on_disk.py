"""Real servers whose data lies on a disk of the test's own, with the settings they are shipped with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres
from support.loop_disk import LoopDisk
from support.servers import private_folder


@contextmanager
def nats_on(disk: LoopDisk) -> Iterator[EmbeddedNats]:
    """Only JetStream's store lies on the disk: the configuration is not what a power cut is about."""
    with private_folder() as folder:
        server = EmbeddedNats(folder)
        server.folder.mkdir()
        (server.folder / "store").symlink_to(disk.place)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres_on(disk: LoopDisk) -> Iterator[EmbeddedPostgres]:
    """The whole cluster lies on the disk, flushed before anything begins."""
    with private_folder() as folder:
        server = EmbeddedPostgres(folder, settings={"shared_buffers": "32MB"})
        try:
            server.prepare()
            subprocess.run(["cp", "-a", f"{server.cluster}/.", str(disk.place)], check=True)
            owner = server.cluster.stat()
            os.chown(disk.place, owner.st_uid, owner.st_gid)
            disk.place.chmod(0o700)
            disk.move_to(server.cluster)
            server.start()
            yield server
        finally:
            server.stop()
            disk.unmount()
            shutil.rmtree(server.home.area, ignore_errors=True)
