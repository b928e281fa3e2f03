"""The NATS and PostgreSQL servers that come with Gridkeeper, as direct children of the process that starts them."""

from gridkeeper_runtime.embedded.nats_server import EmbeddedNats
from gridkeeper_runtime.embedded.postgres_server import EmbeddedPostgres
from gridkeeper_runtime.embedded.server import EmbeddedServer

__all__ = ["EmbeddedNats", "EmbeddedPostgres", "EmbeddedServer"]
