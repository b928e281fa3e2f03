"""The settings that every deciding service has."""

from __future__ import annotations

from gridkeeper_runtime.settings import Secret, Settings


class ShellSettings(Settings, frozen=True, kw_only=True):
    """`is_tape`: the time announced on `tape.clock` stands for the host's. `prepare`: make tables and streams first."""

    nats_url: Secret
    postgres_url: Secret
    shard: int = 0
    is_tape: bool = False
    prepare: bool = False
    health_host: str = "127.0.0.1"
    health_port: int = 0
    log_level: str = "info"
