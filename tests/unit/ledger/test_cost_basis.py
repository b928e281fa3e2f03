"""Realised PnL by every method, on examples a reader can follow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gridkeeper_core.ledger.cost_basis import METHODS, Method, Trade, basis_rows
from gridkeeper_core.units import E6, E9
from support.recorded_data import recorded_folder


def bought(size: int, price: int) -> Trade:
    return Trade(side="buy", base_e9=size * E9, quote_e6=size * price * E6)


def sold(size: int, price: int) -> Trade:
    return Trade(side="sell", base_e9=size * E9, quote_e6=size * price * E6)


@pytest.mark.parametrize(("method", "realized"), [("wac", 10), ("fifo", 30), ("lifo", 20), ("hifo", -20)])
def test_a_sale_closes_the_lot_its_method_names(method: Method, realized: int) -> None:
    # Bought at 100, 150 and 110 (the average is 120), then one sold at 130.
    rows = basis_rows(method, [bought(1, 100), bought(1, 150), bought(1, 110), sold(1, 130)])
    assert rows[-1].realized_pnl_e6 == realized * E6
    assert rows[-1].position_e9 == 2 * E9


@pytest.mark.parametrize(("method", "realized"), [("wac", 0), ("fifo", -20), ("lifo", -10), ("hifo", -20)])
def test_a_purchase_closes_a_short_lot_the_cheapest_first_by_hifo(method: Method, realized: int) -> None:
    # Sold at 100, 150 and 110, then one bought back at 120.
    rows = basis_rows(method, [sold(1, 100), sold(1, 150), sold(1, 110), bought(1, 120)])
    assert rows[-1].realized_pnl_e6 == realized * E6


@pytest.mark.parametrize("method", METHODS)
def test_a_trade_through_zero_realises_the_old_side_and_opens_the_new_one(method: Method) -> None:
    rows = basis_rows(method, [bought(2, 100), sold(3, 110)])
    assert (rows[-1].realized_pnl_e6, rows[-1].position_e9) == (20 * E6, -E9)
    assert rows[-1].average_price_e6 == 110 * E6


@pytest.mark.parametrize("method", METHODS)
def test_what_a_split_leaves_over_stays_with_the_lot(method: Method) -> None:
    thirds = [Trade(side="sell", base_e9=1, quote_e6=0)] * 3
    rows = basis_rows(method, [Trade(side="buy", base_e9=3, quote_e6=100), *thirds])
    assert [row.realized_pnl_e6 for row in rows] == [0, -33, -33, -34]


def test_the_published_average_cost_examples_come_out_to_the_penny() -> None:
    for example in _published()["examples"]:
        trades = [_with_fee_in_the_price(*event) for event in example["events"]]
        rows = basis_rows("wac", trades)
        gains = [row.realized_pnl_e6 for row, trade in zip(rows, trades, strict=True) if trade.side == "sell"]
        expected = [round(gain * E6) for gain in example["expect_gain_each"]]
        assert gains == pytest.approx(expected, abs=50), example["id"]
        assert sum(gains) == pytest.approx(round(example["expect_total"] * E6), abs=50)
        assert rows[-1].position_e9 == example["expect_pool"]["qty"] * E9
        assert rows[-1].cost_e6 == pytest.approx(round(example["expect_pool"]["cost"] * E6), abs=50)


def _with_fee_in_the_price(side: Any, quantity: int, unit_price: float, fee: int) -> Trade:
    quote = quantity * round(unit_price * E6)
    return Trade(side=side, base_e9=quantity * E9, quote_e6=quote + fee * E6 * (1 if side == "buy" else -1))


def _published() -> Any:
    return json.loads((recorded_folder() / "golden" / "average_cost_published_examples.json").read_text())
