"""How public archives are asked for history, and how their answers become rows of our own layouts."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, Protocol

import msgspec

from gridkeeper_core.errors import GridkeeperError

Kind = Literal["candles", "trades", "funding"]
Fetch = Callable[[str, bytes | None], bytes | None]
"""(path with query, body or None) -> the answer; None when there is no such thing (404)."""
Row = tuple[int, ...] | tuple[Any, ...]

COLUMNS: dict[str, tuple[str, ...]] = {
    "candles": ("ts_ms", "open", "high", "low", "close", "volume"),
    "trades": ("ts_ms", "price", "size", "side"),
    "funding": ("ts_ms", "funding_rate"),
}
BASE_URLS = {
    "binance": "https://fapi.binance.com",
    "hyperliquid": "https://api.hyperliquid.xyz",
    "drift": "https://drift-historical-data-v2.s3.eu-west-1.amazonaws.com",
}
_DRIFT = "/program/dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH/market"
_INTERVAL_MS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000}
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_E9 = Decimal("0.000000001")
_E12 = Decimal("0.000000000001")


class Page(msgspec.Struct, frozen=True):
    """Rows in order of time, and where to go on (None: the end is reached)."""

    rows: list[Row]
    cursor: str | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be fetched: times are UTC milliseconds, the end not included."""

    source: str
    kind: Kind
    symbol: str
    interval: str
    first_ms: int
    end_ms: int

    @property
    def every_ms(self) -> int | None:
        """How far apart two rows are where the source promises it."""
        return _INTERVAL_MS[self.interval] if self.kind == "candles" else None


class PageReader(Protocol):
    """Reads the page at a cursor; the first cursor is the first millisecond as text."""

    def __call__(self, fetch: Fetch, wanted: Wanted, cursor: str) -> Page: ...


def reader_of(wanted: Wanted) -> PageReader:
    """Raises GridkeeperError BAD_VALUE for what a source does not keep."""
    readers: dict[tuple[str, str], PageReader] = {
        ("binance", "candles"): _binance_candles,
        ("binance", "trades"): _binance_trades,
        ("binance", "funding"): _binance_funding,
        ("hyperliquid", "candles"): _hyperliquid_candles,
        ("hyperliquid", "funding"): _hyperliquid_funding,
        ("drift", "trades"): _drift_trades,
        ("drift", "funding"): _drift_funding,
    }
    found = readers.get((wanted.source, wanted.kind))
    if found is None:
        kinds = [kind for source, kind in readers if source == wanted.source]
        raise GridkeeperError("BAD_VALUE", field="--kind", value=wanted.kind, expected=" or ".join(kinds))
    return found


# ---------------------------------------------------------------- Binance


def _binance_candles(fetch: Fetch, wanted: Wanted, cursor: str) -> Page:
    path = f"/fapi/v1/klines?symbol={wanted.symbol}&interval={wanted.interval}&startTime={cursor}"
    found = _json(fetch(f"{path}&endTime={wanted.end_ms - 1}&limit=1500", None))
    rows: list[Row] = [(int(bar[0]), *(Decimal(str(cell)) for cell in bar[1:6])) for bar in found]
    return _page_by_time(rows, wanted, step_ms=_INTERVAL_MS[wanted.interval])


def _binance_trades(fetch: Fetch, wanted: Wanted, cursor: str) -> Page:
    path = f"/fapi/v1/aggTrades?symbol={wanted.symbol}&limit=1000"
    if cursor.startswith("id:"):
        found = _json(fetch(f"{path}&fromId={cursor.removeprefix('id:')}", None))
    else:
        # Until the first trade is known, an hour at a time: that is what one question may cover.
        first_ms = int(cursor)
        end_ms = min(first_ms + _HOUR_MS, wanted.end_ms)
        found = _json(fetch(f"{path}&startTime={first_ms}&endTime={end_ms - 1}", None))
        if not found:
            return Page([], str(end_ms) if end_ms < wanted.end_ms else None)
    kept = [trade for trade in found if wanted.first_ms <= int(trade["T"]) < wanted.end_ms]
    rows: list[Row] = [(int(t["T"]), Decimal(t["p"]), Decimal(t["q"]), "sell" if t["m"] else "buy") for t in kept]
    is_over = not found or len(kept) < len(found)
    return Page(rows, None if is_over else f"id:{int(found[-1]['a']) + 1}")


def _binance_funding(fetch: Fetch, wanted: Wanted, cursor: str) -> Page:
    path = f"/fapi/v1/fundingRate?symbol={wanted.symbol}&startTime={cursor}&endTime={wanted.end_ms - 1}&limit=1000"
    rows: list[Row] = [(int(paid["fundingTime"]), Decimal(paid["fundingRate"])) for paid in _json(fetch(path, None))]
    return _page_by_time(rows, wanted, step_ms=1)


# ---------------------------------------------------------------- Hyperliquid


def _hyperliquid_candles(fetch: Fetch, wanted: Wanted, cursor: str) -> Page:
    question = {
        "type": "candleSnapshot",
        "req": {
            "coin": wanted.symbol,
            "interval": wanted.interval,
            "startTime": int(cursor),
            "endTime": wanted.end_ms - 1,
        },
    }
    found = _json(fetch("/info", json.dumps(question).encode()))
    rows: list[Row] = [(int(bar["t"]), *(Decimal(bar[name]) for name in "ohlcv")) for bar in found]
    return _page_by_time(rows, wanted, step_ms=_INTERVAL_MS[wanted.interval])


def _hyperliquid_funding(fetch: Fetch, wanted: Wanted, cursor: str) -> Page:
    question = {
        "type": "fundingHistory",
        "coin": wanted.symbol,
        "startTime": int(cursor),
        "endTime": wanted.end_ms - 1,
    }
    found = _json(fetch("/info", json.dumps(question).encode()))
    rows: list[Row] = [(int(paid["time"]), Decimal(paid["fundingRate"])) for paid in found]
    return _page_by_time(rows, wanted, step_ms=1)


# ---------------------------------------------------------------- Drift's archive: one CSV file per day


def _drift_trades(fetch: Fetch, wanted: Wanted, cursor: str) -> Page:
    found = [
        record
        for record in _drift_day(fetch, wanted, cursor, "tradeRecords")
        if record["action"] == "fill" and Decimal(record["baseAssetAmountFilled"])
    ]
    # The file is in the order of the chain; records of one second keep it.
    rows: list[Row] = [_drift_trade(record) for record in sorted(found, key=lambda record: int(record["ts"]))]
    return _drift_page(rows, wanted, cursor)


def _drift_trade(record: dict[str, str]) -> Row:
    base, quote = Decimal(record["baseAssetAmountFilled"]), Decimal(record["quoteAssetAmountFilled"])
    price = (quote / base).quantize(_E9, rounding=ROUND_HALF_EVEN)
    return (int(record["ts"]) * 1000, price, base, "buy" if record["takerOrderDirection"] == "long" else "sell")


def _drift_funding(fetch: Fetch, wanted: Wanted, cursor: str) -> Page:
    found = sorted(_drift_day(fetch, wanted, cursor, "fundingRateRecords"), key=lambda record: int(record["ts"]))
    # The archive states quote per base; a share of the notional is that over the price it was made of.
    rows: list[Row] = [
        (
            int(record["ts"]) * 1000,
            (Decimal(record["fundingRate"]) / Decimal(record["oraclePriceTwap"])).quantize(_E12, ROUND_HALF_EVEN),
        )
        for record in found
    ]
    return _drift_page(rows, wanted, cursor)


def _drift_day(fetch: Fetch, wanted: Wanted, cursor: str, records: str) -> Iterable[dict[str, str]]:
    day = datetime.fromtimestamp(int(cursor) / 1000, UTC)
    content = fetch(f"{_DRIFT}/{wanted.symbol}/{records}/{day:%Y}/{day:%Y%m%d}", None)
    if content is None:
        return ()
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return csv.DictReader(io.StringIO(text.decode()))


def _drift_page(rows: list[Row], wanted: Wanted, cursor: str) -> Page:
    next_ms = (int(cursor) // _DAY_MS + 1) * _DAY_MS
    kept = [row for row in rows if wanted.first_ms <= row[0] < wanted.end_ms]
    return Page(kept, str(next_ms) if next_ms < wanted.end_ms else None)


def _page_by_time(rows: list[Row], wanted: Wanted, *, step_ms: int) -> Page:
    """A source that answers the oldest rows from a time on: go on after the newest, until nothing comes."""
    if not rows:
        return Page([], None)
    next_ms = int(rows[-1][0]) + step_ms
    return Page(rows, str(next_ms) if next_ms < wanted.end_ms else None)


def _json(content: bytes | None) -> Any:
    return msgspec.json.decode(content) if content else []
