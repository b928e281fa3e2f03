"""`gridkeeper ledger show ID --turns`: a grid's whole statement, read from the record."""

from __future__ import annotations

import time

from gridkeeper_cli.documents import Document, iso_utc, optional_e6, percent, result
from gridkeeper_cli.record_reading import log_opened, rows_of
from gridkeeper_cli.render import facts, table
from gridkeeper_cli.session import Session
from gridkeeper_core.ledger.statement import CellLine, Statement, StatementFold, TurnLine
from gridkeeper_core.names import stream
from gridkeeper_core.record import decode
from gridkeeper_core.units import duration_text, e6_text, e9_text

_TURNS_SHOWN = 30
_TAPE_AFTER_NS = 86_400 * 10**9
_TURNS = (
    ("closed", "turn completed"),
    ("cell", ">cell"),
    ("size", ">size"),
    ("buy_price", ">bought at"),
    ("sell_price", ">sold at"),
    ("fee", ">fees"),
    ("profit", ">profit"),
    ("dwell", ">after"),
)
_CELLS = (
    ("cell", ">cell"),
    ("turns", ">turns"),
    ("profit", ">profit"),
    ("fees", ">fees"),
    ("part_matched", ">part of a turn"),
    ("held", ">held"),
    ("held_cost", ">its cost"),
)


def read_statement(postgres_url: str, grid_id: str, price_e6: int | None, now_ns: int | None = None) -> Statement:
    """The statement as of the record now. Raises GridkeeperError GRID_UNKNOWN."""
    fold, newest_ns = StatementFold(grid_id), 0
    for service, kind in (("strategy", "grid"), ("ledger", "ledger")):
        wanted = stream(kind, grid_id)
        with log_opened(postgres_url, service) as store:
            for row in rows_of(store, lambda name, wanted=wanted: name == wanted):  # type: ignore[misc]
                event = decode(row.state)
                newest_ns = max(newest_ns, event.ts_ns)
                fold.take(event)
    # On a tape the record's own time is what has passed.
    is_tape = now_ns is None and time.time_ns() - newest_ns > _TAPE_AFTER_NS
    return fold.statement(newest_ns if is_tape else now_ns or time.time_ns(), price_e6)


def show_statement(session: Session, statement: Statement) -> None:
    """As text, or one JSON document."""
    document = statement_document(statement)
    turns = document["turns"][-_TURNS_SHOWN:]
    earned = [
        ("from", document["from"]),
        ("to", document["to"]),
        ("capital", document["capital"]),
        ("earned by turns, after fees", document["turns_profit"]),
        ("grid APR", document["grid_apr_percent"]),
        ("total PnL", document["total_pnl"]),
        ("total APR", document["total_apr_percent"]),
        ("peak equity", document["peak_equity"]),
        ("drawdown", f"{document['drawdown']} ({document['drawdown_percent']} %)"),
    ]
    session.answer(
        {"statement": document},
        f"The last {len(turns)} of {len(document['turns'])} turns:",
        table(_TURNS, turns),
        table(_CELLS, [cell for cell in document["cells"] if _is_used(cell)]),
        facts(earned),
    )


def statement_document(of: Statement) -> Document:
    """For --json."""
    return {
        "id": of.grid_id,
        "from": iso_utc(of.opened_ns),
        "to": iso_utc(of.until_ns),
        "capital": e6_text(of.capital_e6),
        **result(of.result),
        "turns_profit": e6_text(of.turns_profit_e6),
        "grid_apr_percent": percent(of.grid_apr_e4),
        "total_apr_percent": percent(of.total_apr_e4),
        "peak_equity": e6_text(of.peak_equity_e6),
        "drawdown": e6_text(of.drawdown_e6),
        "drawdown_percent": percent(of.drawdown_e4),
        "cells": [_cell(line) for line in of.cells],
        "turns_completed": of.result.turns,
        "turns": [_turn(line) for line in of.turns],
    }


def _turn(line: TurnLine) -> Document:
    return {
        "cell": line.cell,
        "cycle": line.cycle,
        "size": e9_text(line.base_e9),
        "buy_price": optional_e6(line.buy_price_e6),
        "sell_price": optional_e6(line.sell_price_e6),
        "fee": e6_text(line.fee_e6),
        "profit": e6_text(line.profit_e6),
        "opened": iso_utc(line.opened_ns),
        "closed": iso_utc(line.closed_ns),
        "dwell": duration_text(line.dwell_ns // 10**6 * 10**6),
    }


def _cell(line: CellLine) -> Document:
    return {
        "cell": line.cell,
        "turns": line.turns,
        "profit": e6_text(line.profit_e6),
        "fees": e6_text(line.fee_e6),
        "part_matched": e9_text(line.matched_e9),
        "part_profit": e6_text(line.matched_quote_e6),
        "held": e9_text(line.held_e9),
        "held_cost": e6_text(-line.held_quote_e6),
    }


def _is_used(cell: Document) -> bool:
    return bool(cell["turns"]) or cell["held"] != "0" or cell["part_matched"] != "0"
