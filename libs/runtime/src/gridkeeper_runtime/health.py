"""Answers probes and scrapes over HTTP, on a thread of its own so that a stuck event loop can be seen from outside."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import metrics
from gridkeeper_runtime.ports import LOOPBACK

LIVEZ = "/livez"
READYZ = "/readyz"
METRICS = "/metrics"
BEAT_S = 0.5


class Health:
    """`/livez`: does the event loop turn; `/readyz`: may work be sent here; `/metrics`: for Prometheus.

    `unready` returns the reasons why not, in words; it is called from another thread.
    """

    def __init__(
        self,
        unready: Callable[[], list[str]],
        *,
        host: str = LOOPBACK,
        port: int = 0,
        stalled_after_s: float = 15.0,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.unready = unready
        self.registry = registry
        self.stalled_after_s = stalled_after_s
        self._beat_at_s = time.monotonic()
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise GridkeeperError("PORT_IN_USE", field="health_port", value=f"{host}:{port}") from error
        self._server.health = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on, also when it was asked for any (0)."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def beat(self) -> None:
        """The event loop turns."""
        self._beat_at_s = time.monotonic()

    def stalled_s(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._beat_at_s

    async def keep_beating(self) -> None:
        """Beat, and measure how late the loop is, until cancelled."""
        while True:
            self.beat()
            due_s = time.monotonic() + BEAT_S
            await asyncio.sleep(BEAT_S)
            metrics.LOOP_STALL.set(max(0.0, time.monotonic() - due_s))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    health: Health


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:  # http.server chooses the name
        path = self.path.partition("?")[0]
        if path == LIVEZ:
            self._livez(self.server.health)
        elif path == READYZ:
            self._reasons(self.server.health.unready())
        elif path == METRICS:
            metrics.READY.set(0 if self.server.health.unready() else 1)
            self._answer(200, generate_latest(self.server.health.registry), CONTENT_TYPE_LATEST)
        else:
            self._answer(404, b'{"error":"not found"}')

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds: they are not worth a line each."""

    def _livez(self, health: Health) -> None:
        stalled_s = health.stalled_s()
        late = stalled_s > health.stalled_after_s
        self._reasons([f"The event loop has not turned for {stalled_s:.1f} s."] if late else [])

    def _reasons(self, reasons: list[str]) -> None:
        self._answer(503 if reasons else 200, msgspec.json.encode(reasons))

    def _answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
