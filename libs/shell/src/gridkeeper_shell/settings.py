"""The settings that every deciding service has."""

from __future__ import annotations

from gridkeeper_runtime.settings import Secret, Settings


class ShellSettings(Settings, frozen=True, kw_only=True):
    """`nats_nkey`: the seed of the service's key, where NATS knows services by keys.

    `is_tape`: the time announced on `tape.clock` stands for the host's. `prepare`: make tables and streams first, for
    which NATS and PostgreSQL must know the service as an administrator.
    """

    nats_url: Secret
    postgres_url: Secret
    nats_nkey: Secret = ""
    shard: int = 0
    is_tape: bool = False
    prepare: bool = False
    health_host: str = "127.0.0.1"
    health_port: int = 0
    log_level: str = "info"
