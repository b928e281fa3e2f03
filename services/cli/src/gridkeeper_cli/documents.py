"""The JSON a user gets: counts as integers, amounts as decimal text, times as ISO 8601 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gridkeeper_core import requests
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.ledger.marks import Line, Result
from gridkeeper_core.ledger.performance import Earned
from gridkeeper_core.units import E4, E6, E9, decimal_text, duration_text, e6_text, e9_text

Document = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCALES = {"_e4": E4, "_e5": 10**5, "_e6": E6, "_e9": E9}
_UTC_FROM_NS = 10**17
"""A duration is never this long, a moment after 1973 never this short."""


def iso_utc(ts_ns: int) -> str:
    """`2025-01-31T12:00:00.123456Z`; exact down to microseconds."""
    moment = _EPOCH + timedelta(microseconds=ts_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def iso_now() -> str:
    """The moment it is, in whole seconds: `2025-01-31T12:00:00Z`."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def optional_e6(value_e6: int | None) -> str | None:
    """A price or quote amount that may be unknown."""
    return None if value_e6 is None else e6_text(value_e6)


def grid_row(view: requests.GridView, books: ledger.GridBooksView | None) -> Document:
    """One grid of `grid list`; money is null as long as the ledger has no books of it."""
    result = books.result if books is not None else None
    return {
        "id": view.id,
        "market": view.market,
        "account": view.account,
        "state": view.state,
        "reasons": list(view.reasons),
        "price": optional_e6(view.price_e6),
        "gap": view.gap,
        "position": e9_text(view.position_e9),
        "fills": view.fills,
        "live_orders": view.live_orders,
        "wanted_orders": view.wanted_orders,
        "grid_profit": e6_text(result.grid_profit_e6) if result else None,
        "total_pnl": e6_text(result.total_pnl_e6) if result else None,
        "fees": e6_text(result.fees_e6) if result else None,
        "funding": e6_text(result.funding_e6) if result else None,
        "updated": None if view.price_ns is None else iso_utc(view.price_ns),
    }


def grid_detail(detail: requests.GridDetail, books: ledger.GridBooksView | None) -> Document:
    """One grid of `grid show`."""
    view, levels = detail.view, detail.levels_e6
    cells = zip(detail.sizes_e9, detail.held_e9, detail.cycles, strict=True)
    return {
        **grid_row(view, books),
        "lower": e6_text(view.lower_e6),
        "upper": e6_text(view.upper_e6),
        "range_left": view.range_left,
        "turns": view.turns,
        "cash": e6_text(view.cash_e6),
        "levels": [e6_text(price_e6) for price_e6 in levels],
        "cells": [
            {
                "cell": cell,
                "lower": e6_text(levels[cell]),
                "upper": e6_text(levels[cell + 1]),
                "size": e9_text(size),
                "held": e9_text(held),
                "turns": cycles,
            }
            for cell, (size, held, cycles) in enumerate(cells)
        ],
        "orders": [order(o) for o in detail.orders],
        "pauses": [{"code": p.code, "meaning": p.meaning, "told": p.told} for p in detail.pauses],
        "flag": detail.flag,
        "flag_until": iso_utc(detail.flag_until_ns) if detail.flag_until_ns else None,
        "why": [level(reason) for reason in detail.reasons],
        "books": None if books is None else grid_books(books),
        "source": detail.source,
    }


def level(view: requests.LevelView) -> Document:
    """One level and why its order is live or not; `until` is when the reason ends by time alone."""
    return {
        "level": view.level,
        "price": e6_text(view.price_e6),
        "side": view.side,
        "cell": view.cell if view.side else None,
        "size": e9_text(view.size_e9),
        "code": view.code,
        "meaning": view.meaning,
        "intent": view.intent_id,
        "until": iso_utc(view.until_ns) if view.until_ns else None,
        "detail": view.detail,
    }


def order(view: requests.OrderView) -> Document:
    """One order of a grid. `unwanted` says why it is to go, empty = it stays."""
    return {
        "intent": view.intent_id,
        "kind": view.kind,
        "side": view.side,
        "cell": view.cell,
        "price": e6_text(view.price_e6),
        "size": e9_text(view.size_e9),
        "filled": e9_text(view.filled_e9),
        "unwanted": view.unwanted,
    }


def account(view: requests.AccountView) -> Document:
    """One account, as execution sees it."""
    return {
        "name": view.alias,
        "phase": view.phase,
        "differs": view.differs,
        "halted": view.halted,
        "open_orders": view.open_orders,
        "free_slots": view.free_slots,
        "in_flight": view.in_flight,
        "deposit": e6_text(view.deposit_e6),
        "positions": [
            {
                "market": position.market,
                "base": e9_text(position.base_e9),
                "quote_entry": e6_text(position.quote_entry_e6),
                "quote_asset": e6_text(position.quote_asset_e6),
                "quote_break_even": e6_text(position.quote_break_even_e6),
            }
            for position in view.positions
        ],
        "grids": list(view.grids),
        "sol_spent": e9_text(view.lamports_spent),
    }


def account_books(view: ledger.AccountBooksView) -> Document:
    """An account's books; `equity` is the sum of the lines."""
    proof = view.last_proof
    return {
        "deposit": e6_text(view.deposit_e6),
        "holdings": [
            {"market": held.market, "base": e9_text(held.base_e9), "quote": e6_text(held.quote_e6)}
            for held in view.holdings
        ],
        "equity": e6_text(sum(line.quote_e6 for line in view.lines)),
        "lines": _lines(view.lines),
        "last_proof": None
        if proof is None
        else {
            "slot": proof.slot,
            "venue": e6_text(proof.left_e6),
            "events": e6_text(proof.right_e6),
            "residual": e6_text(proof.residual_e6),
        },
    }


def grid_books(view: ledger.GridBooksView) -> Document:
    """A grid's books; the lines lead from grid profit to total PnL."""
    return {
        "id": view.grid_id,
        "market": view.market,
        "open": view.is_open,
        **result(view.result),
        "lines": _lines(view.lines),
        **(earned(view.earned) if view.earned is not None else {}),
    }


def earned(of: Earned) -> Document:
    """Yearly rates and the deepest fall, by the capital."""
    return {
        "from": iso_utc(of.opened_ns),
        "to": iso_utc(of.until_ns),
        "capital": e6_text(of.capital_e6) if of.capital_e6 else None,
        "grid_apr_percent": percent(of.grid_apr_e4),
        "total_apr_percent": percent(of.total_apr_e4),
        "peak_equity": e6_text(of.peak_equity_e6),
        "drawdown": e6_text(of.drawdown_e6),
        "drawdown_percent": percent(of.drawdown_e4),
    }


def percent(ratio_e4: int | None) -> str | None:
    """A ratio of 1e-4 as a percentage."""
    return None if ratio_e4 is None else decimal_text(ratio_e4, E4 // 100)


def result(of: Result) -> Document:
    """What a grid earned, at a price."""
    return {
        "price": e6_text(of.price_e6),
        "position": e9_text(of.position_e9),
        "average_entry": optional_e6(of.average_entry_e6),
        "break_even": optional_e6(of.break_even_e6),
        "grid_profit": e6_text(of.grid_profit_e6),
        "realized_pnl": e6_text(of.realized_pnl_e6),
        "unrealized_pnl": e6_text(of.unrealized_pnl_e6),
        "fees": e6_text(of.fees_e6),
        "funding": e6_text(of.funding_e6),
        "total_pnl": e6_text(of.total_pnl_e6),
        "fills": of.fills,
        "turns": of.turns,
    }


def readable(struct: msgspec.Struct) -> Document:
    """Any struct of ours by the units in its names: `price_e6: 1500000` becomes `price: "1.5"`."""
    built = msgspec.to_builtins(struct)
    assert isinstance(built, dict)
    return _readable_members(built)


def _readable_members(members: Document) -> Document:
    return dict(_readable(name, value) for name, value in members.items())


def _readable(name: str, value: Any) -> tuple[str, Any]:
    scale = _SCALES.get(name[-3:])
    if scale is not None:
        return name[:-3], _each(value, lambda number: decimal_text(number, scale))
    if name.endswith("_ns"):
        return name[:-3], _each(value, lambda ns: iso_utc(ns) if ns >= _UTC_FROM_NS else duration_text(ns))
    if isinstance(value, dict):
        return name, _readable_members(value)
    if isinstance(value, list | tuple):
        return name, [_readable_members(item) if isinstance(item, dict) else item for item in value]
    return name, value


def _each(value: Any, text_of: Any) -> Any:
    if isinstance(value, list | tuple):
        return [text_of(number) for number in value]
    return None if value is None else text_of(value)


def _lines(lines: tuple[Line, ...]) -> list[Document]:
    return [{"name": line.name, "quote": e6_text(line.quote_e6)} for line in lines]
