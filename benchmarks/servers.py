"""The real servers, as `gridkeeper up` starts them, with every flush to the disk, in a folder that goes away."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres


class Servers(msgspec.Struct, frozen=True):
    """Where they answer; both URLs hold a password that dies with them."""

    nats_url: str
    postgres_url: str


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder with a short name (sockets must have one), removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gk-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_servers(authorization: Callable[[str, str], str] | None = None) -> Iterator[Servers]:
    """A fresh nats-server, with users beside the administrator where these are given, and a fresh PostgreSQL."""
    with temporary_folder() as folder:
        nats, postgres = EmbeddedNats(folder, authorization=authorization), EmbeddedPostgres(folder)
        try:
            nats.start()
            postgres.start()
            yield Servers(nats.url, postgres.url)
        finally:
            postgres.stop()
            nats.stop()
            # As root the cluster lies outside of the folder.
            shutil.rmtree(postgres.home.area, ignore_errors=True)
