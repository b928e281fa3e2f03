"""PostgreSQL and NATS for a command that works while Gridkeeper is stopped: they run as long as the command does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import is_locked, locked, read_run_file
from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres


def require_cluster(data_dir: Path) -> None:
    """An empty PostgreSQL made on the spot would make an empty log. Raises GridkeeperError BAD_FILE."""
    if not (data_dir / "postgres.json").exists():
        raise GridkeeperError(
            "BAD_FILE", field="data dir", value=data_dir, detail="There is no event log in this data directory."
        )


@contextmanager
def offline_servers(data_dir: Path) -> Iterator[tuple[str, str]]:
    """URLs of NATS and PostgreSQL, in a data directory that is locked meanwhile. Raises as `locked` does."""
    with locked(data_dir, version("gridkeeper-cli")), ExitStack() as stack:
        nats, postgres = EmbeddedNats(data_dir), EmbeddedPostgres(data_dir)
        for server in (postgres, nats):
            stack.callback(server.stop)
            server.start()
        yield nats.url, postgres.url


@contextmanager
def postgres_reached(data_dir: Path) -> Iterator[str]:
    """The URL of the running PostgreSQL, or of one that runs for this alone."""
    if is_locked(data_dir):
        yield read_run_file(data_dir).postgres_url
        return
    with locked(data_dir, version("gridkeeper-cli")), ExitStack() as stack:
        server = EmbeddedPostgres(data_dir)
        stack.callback(server.stop)
        server.start()
        yield server.url
