"""What a process that others are to reach says of itself: its release, its pid, since when it runs, and its servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version

from gridkeeper_cli.documents import iso_now
from gridkeeper_runtime.datadir import RunFile, RunningService


def own_run(
    nats_url: str,
    postgres_url: str,
    *,
    rpc_url: str = "",
    services: Mapping[str, RunningService] | None = None,
    started_at: str = "",
) -> RunFile:
    """The run file of this process. `started_at` (ISO 8601, UTC) is now where it is not given."""
    return RunFile(
        version=version("gridkeeper-cli"),
        started_at=started_at or iso_now(),
        supervisor_pid=os.getpid(),
        nats_url=nats_url,
        postgres_url=postgres_url,
        rpc_url=rpc_url,
        services=dict(services or {}),
    )
