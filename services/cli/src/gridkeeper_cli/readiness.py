"""Asks the services' health endpoints whether they may be worked with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.ports import LOOPBACK
from gridkeeper_runtime.supervisor import ChildStatus

SILENT = "It does not answer yet."
_TIMEOUT_S = 2.0
_PAUSE_S = 0.1


async def unready_reasons(port: int, host: str = LOOPBACK) -> list[str]:
    """Why a service is not ready, in its own words; empty when it is."""
    return await asyncio.to_thread(_ask, port, host)


async def until_ready(
    health_ports: Mapping[str, int], status: Callable[[], tuple[ChildStatus, ...]], *, within_s: float
) -> None:
    """Wait until every service is ready.

    Raises GridkeeperError SERVICE_SILENT with the reasons when one is not in time or was given up.
    """
    deadline_s = time.monotonic() + within_s
    waiting = dict(health_ports)
    while True:
        answers = await asyncio.gather(*(unready_reasons(port) for port in waiting.values()))
        reasons = {name: " ".join(said) for name, said in zip(list(waiting), answers, strict=True) if said}
        if not reasons:
            return
        waiting = {name: port for name, port in waiting.items() if name in reasons}
        given_up = {child.name: child.reason for child in status() if child.state == "failed" and child.name in waiting}
        if given_up or time.monotonic() > deadline_s:
            detail = "; ".join(f"{name}: {why}" for name, why in (given_up or reasons).items())
            raise GridkeeperError("SERVICE_SILENT", field="services", detail=detail, do="See the logs in the data dir.")
        await asyncio.sleep(_PAUSE_S)


def _ask(port: int, host: str) -> list[str]:
    connection = HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, HTTPException):
        return [SILENT]
    finally:
        connection.close()
    if answer.status == 200:
        return []
    try:
        return msgspec.json.decode(content, type=list[str]) or [SILENT]
    except msgspec.DecodeError:
        return [SILENT]
