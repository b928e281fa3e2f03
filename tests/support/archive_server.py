"""A local server that answers like the public archives: candles, trades and funding over HTTP."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MINUTE_MS = 60_000
FIRST_MS = 1_714_521_600_000
"""2024-05-01T00:00Z."""
TRADE_EVERY_MS = 700


class Archive:
    """What the server keeps, and what is wrong with it. `fails` are answers given before the true ones: (status, body,
    headers); `missing` are minutes without a candle."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails: list[tuple[int, bytes, dict[str, str]]] = []
        self.missing: set[int] = set()
        self.page = 100
        self.breaks_after: int | None = None
        self.url = ""

    def answer(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        self.asked.append(path)
        if self.fails:
            return self.fails.pop(0)
        if self.breaks_after is not None and len(self.asked) > self.breaks_after:
            return 400, b"no more", {}
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/fapi/v1/klines":
                return _json([self._kline(ms) for ms in self._minutes(query)])
            case "/fapi/v1/aggTrades":
                return _json(self._trades(query))
            case "/fapi/v1/fundingRate":
                return _json(
                    [{"fundingTime": ms, "fundingRate": "0.0001"} for ms in _every(query, 8 * 60 * MINUTE_MS, 5)]
                )
            case "/info":
                return _json(self._info(json.loads(body)))
            case _:
                return self._drift(parts.path)

    def _minutes(self, query: dict[str, str]) -> list[int]:
        return [ms for ms in _every(query, MINUTE_MS, self.page + 5) if ms not in self.missing][: self.page]

    def _kline(self, ms: int) -> list[Any]:
        price = 100 + ms // MINUTE_MS % 7
        return [
            ms,
            f"{price}.5",
            f"{price + 1}.0",
            f"{price}.0",
            f"{price}.25",
            "12.5",
            ms + MINUTE_MS - 1,
            "0",
            1,
            "0",
            "0",
            "0",
        ]

    def _trades(self, query: dict[str, str]) -> list[dict[str, Any]]:
        if "fromId" in query:
            first = int(query["fromId"])
        else:
            first = -(-(int(query["startTime"]) - FIRST_MS) // TRADE_EVERY_MS)
        trades: list[dict[str, Any]] = [
            {"a": at, "T": FIRST_MS + at * TRADE_EVERY_MS, "p": f"{100 + at % 5}.10", "q": "0.5", "m": at % 2 == 0}
            for at in range(first, first + self.page)
        ]
        end_ms = int(query.get("endTime", 2**62))
        return [trade for trade in trades if trade["T"] <= end_ms]

    def _info(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        if question["type"] == "candleSnapshot":
            req = {name: str(value) for name, value in question["req"].items()}
            return [
                {"t": bar[0], "o": bar[1], "h": bar[2], "l": bar[3], "c": bar[4], "v": bar[5]}
                for bar in map(self._kline, self._minutes(req))
            ]
        span = {"startTime": str(question["startTime"]), "endTime": str(question["endTime"])}
        return [{"time": ms + 37, "fundingRate": "-0.00001234"} for ms in _every(span, 60 * MINUTE_MS, 7)]

    def _drift(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        *_, records, _year, day = path.split("/")
        if day != "20240501":
            return 404, b"", {}
        if records == "tradeRecords":
            text = "ts,action,baseAssetAmountFilled,quoteAssetAmountFilled,takerOrderDirection\n"
            text += f"{FIRST_MS // 1000 + 60},fill,3,400,short\n{FIRST_MS // 1000 + 5},fill,2.0,250.5,long\n"
            text += f"{FIRST_MS // 1000 + 70},cancel,0,0,long\n"
        else:
            text = f"ts,fundingRate,oraclePriceTwap\n{FIRST_MS // 1000 + 3600},0.0015,150\n"
        return 200, gzip.compress(text.encode()), {}


@contextmanager
def running_archive() -> Iterator[Archive]:
    """The server on a free port of this machine."""
    archive = Archive()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silent: the test looks at `asked`."""

        def _answer(self, body: bytes) -> None:
            status, content, headers = archive.answer(self.path, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        archive.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield archive
        server.shutdown()


def _every(query: dict[str, str], step_ms: int, most: int) -> list[int]:
    first = -(-int(query["startTime"]) // step_ms) * step_ms
    return list(range(first, int(query["endTime"]) + 1, step_ms))[:most]


def _json(found: Any) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(found).encode(), {}
