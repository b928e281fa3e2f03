"""Listens to Alertmanager's webhook, and notices when Alertmanager itself falls silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from gridkeeper_core.alerts.policy import Severity
from gridkeeper_core.inputs import AlertReceived
from gridkeeper_runtime.logs import Logger

PATH = "/alertmanager"
WATCHDOG = "Watchdog"
SILENT = "AlertmanagerSilent"
CHECK_S = 1.0
_SEVERITIES: dict[str, Severity] = {"critical": "critical", "page": "critical", "warning": "warning", "info": "info"}
_log = Logger("alertmanager")

Take = Callable[[AlertReceived], Awaitable[object]]
"""Returns once the alert's outcome is committed."""


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert of the webhook: `status` firing or resolved, `fingerprint` tells alerts apart."""

    status: str
    labels: dict[str, str]
    fingerprint: str
    starts_at: str
    annotations: dict[str, str] = {}


class Notification(msgspec.Struct, frozen=True):
    """The webhook's body, version 4; fields that are not needed here are passed over."""

    alerts: list[Alert]


class AlertmanagerListener:
    """Serves `POST /alertmanager`; answered with 200 only when every alert is recorded, so that none is lost.

    The alert `Watchdog` always fires and is not told of: with `silent_after_s`, not hearing it is what is told.
    """

    def __init__(self, take: Take, now_ns: Callable[[], int], *, silent_after_s: float = 0) -> None:
        self._take = take
        self._now_ns = now_ns
        self._silent_after_s = silent_after_s
        self._heard_s = time.monotonic()
        self._silent_since = ""

    async def serve(self, host: str, port: int) -> None:
        """Listen until cancelled."""
        application = web.Application()
        application.router.add_post(PATH, self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            _log.info("Listening to Alertmanager.", port=port)
            while True:
                await asyncio.sleep(CHECK_S)
                await self._look_for_silence()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            notification = msgspec.json.decode(await request.read(), type=Notification)
        except msgspec.DecodeError as error:
            return web.json_response({"error": str(error)}, status=400)
        for alert in notification.alerts:
            if alert.labels.get("alertname") == WATCHDOG:
                await self._hear()
            else:
                await self._take(self._input(alert))
        return web.json_response({})

    def _input(self, alert: Alert) -> AlertReceived:
        labels = alert.labels
        name = labels.get("alertname", "")
        return AlertReceived(
            now_ns=self._now_ns(),
            name=name,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at,
            firing=alert.status == "firing",
            severity=_SEVERITIES.get(labels.get("severity", ""), "warning"),
            target=labels.get("grid") or labels.get("account") or labels.get("market") or "fleet",
            text=alert.annotations.get("summary") or name,
            runbook_url=alert.annotations.get("runbook_url", ""),
            cause=labels.get("cause", ""),
        )

    async def _hear(self) -> None:
        self._heard_s = time.monotonic()
        if self._silent_since:
            await self._tell(firing=False)
            self._silent_since = ""

    async def _look_for_silence(self) -> None:
        if not self._silent_after_s or self._silent_since:
            return
        if time.monotonic() - self._heard_s > self._silent_after_s:
            self._silent_since = datetime.now(UTC).isoformat(timespec="seconds")
            await self._tell(firing=True)

    async def _tell(self, *, firing: bool) -> None:
        await self._take(
            AlertReceived(
                now_ns=self._now_ns(),
                name=SILENT,
                fingerprint=SILENT,
                starts_at=self._silent_since,
                firing=firing,
                severity="critical",
                target="fleet",
                text=f"Alertmanager was not heard for {self._silent_after_s:.0f} s: its alerts may not arrive.",
            )
        )
