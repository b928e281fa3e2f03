"""The benchmark's grid on NautilusTrader's Rust engine, for whoever has it; needs numpy and nautilus_trader, no more.

`python grid_on_nautilus.py TAPE.npz`: prints what it took, and the fills to compare, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from decimal import Decimal
from typing import Any

import numpy as np
from nautilus_trader.core import nautilus_pyo3 as nt  # type: ignore[import-not-found]

LEVELS, PER_SIDE, LOTS_PER_ORDER = 101, 16, 10
MARKET = nt.InstrumentId(nt.Symbol("SOL-PERP"), nt.Venue("SIM"))


class Grid(nt.Strategy):  # type: ignore[misc]
    """Sixteen orders on each side of the one level without an order; each fill moves that level there."""

    def prepare(self, first_cents: int) -> None:
        """The state before the first trade."""
        self.gap = min(range(LEVELS), key=lambda level: abs(10_000 + 100 * level - first_cents))
        self.orders: dict[int, Any] = {}
        self.level_of: dict[Any, int] = {}
        self.fills: list[tuple[int, int, int]] = []
        self.placed = 0
        self.is_begun = False

    def on_start(self) -> None:
        """Called by the engine."""
        self.subscribe_trades(MARKET)

    def on_trade(self, _trade: Any) -> None:
        """The first trade starts the grid; the others concern the venue only."""
        if not self.is_begun:
            self.is_begun = True
            self.put_right()

    def on_order_filled(self, event: Any) -> None:
        """Called by the engine for each fill, those of one trade in no certain order."""
        level = self.level_of.pop(event.client_order_id)
        del self.orders[level]
        is_buy = event.order_side == nt.OrderSide.BUY
        self.fills.append((event.ts_event, level, 1 if is_buy else -1))
        self.gap = min(self.gap, level) if is_buy else max(self.gap, level)
        self.put_right()

    def put_right(self) -> None:
        """The orders around the level without one, the others gone."""
        low, high = max(self.gap - PER_SIDE, 0), min(self.gap + PER_SIDE, LEVELS - 1)
        for level in [level for level in self.orders if not low <= level <= high]:
            self.cancel(level)
        for level in range(low, high + 1):
            if level != self.gap and level not in self.orders:
                self.place(level, nt.OrderSide.BUY if level < self.gap else nt.OrderSide.SELL)

    def place(self, level: int, side: Any) -> None:
        """Places an order."""
        order = self.order_factory.limit(MARKET, side, nt.Quantity(LOTS_PER_ORDER / 100, 2), nt.Price(100.0 + level, 2))
        self.orders[level] = order.client_order_id
        self.level_of[order.client_order_id] = level
        self.submit_order(order)
        self.placed += 1

    def cancel(self, level: int) -> None:
        """Takes the order at a level away."""
        order_id = self.orders.pop(level)
        del self.level_of[order_id]
        self.cancel_order(order_id)


def engine_for(tape: Any) -> tuple[Any, Grid]:
    """The engine with venue, instrument, trades and grid."""
    usdc = nt.Currency.from_str("USDC")
    quiet = nt.common.LoggerConfig(stdout_level=nt.common.LogLevel.ERROR, bypass_logging=True)
    engine = nt.BacktestEngine(
        nt.BacktestEngineConfig(
            bypass_logging=True, run_analysis=False, logging=quiet, risk_engine=nt.risk.RiskEngineConfig(bypass=True)
        )
    )
    engine.add_venue(
        nt.Venue("SIM"), nt.OmsType.NETTING, nt.AccountType.MARGIN, [nt.Money(1e9, usdc)], usdc,
        default_leverage=Decimal(10), fee_model=nt.execution.MakerTakerFeeModel(), use_message_queue=True,
    )  # fmt: skip
    cent, lot = nt.Price(0.01, 2), nt.Quantity(0.01, 2)
    engine.add_instrument(
        nt.CryptoPerpetual(
            MARKET, nt.Symbol("SOL-PERP"), nt.Currency.from_str("SOL"), usdc, usdc, False, 2, 2, cent, lot, 0, 0,
            margin_init=Decimal("0.1"), margin_maint=Decimal("0.05"), maker_fee=Decimal("-0.0002"),
            taker_fee=Decimal("0.001"),
        )
    )  # fmt: skip
    sides = {1: nt.AggressorSide.BUYER, -1: nt.AggressorSide.SELLER}
    rows = zip(
        tape["ts_ns"].tolist(), tape["cents"].tolist(), tape["lots"].tolist(), tape["side"].tolist(), strict=True
    )
    trades = [
        nt.TradeTick(
            MARKET, nt.Price(cents / 100, 2), nt.Quantity(lots / 100, 2), sides[side], nt.TradeId(str(row)), ts, ts
        )
        for row, (ts, cents, lots, side) in enumerate(rows)
    ]  # fmt: skip
    engine.add_data(trades)
    grid = Grid(nt.StrategyConfig(strategy_id=nt.StrategyId("GRID-001"), log_events=False, log_commands=False))
    grid.prepare(int(tape["cents"][0]))
    engine.add_strategy(grid)
    return engine, grid


def main() -> None:
    """Runs it once; `--check` only tells by its end that everything needed is there."""
    if sys.argv[1] == "--check":
        return
    tape = np.load(sys.argv[1])
    engine, grid = engine_for(tape)
    began_s = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - began_s
    start_ns = int(tape["ts_ns"][0])
    # Those of one trade from the nearest level to the farthest, as everybody counts them.
    rows = sorted(
        (((ts - start_ns) // 1_000_000, level, side) for ts, level, side in grid.fills),
        key=lambda row: (row[0], -row[2] * row[1]),
    )
    sha256 = hashlib.sha256(np.array(rows, dtype="<i4").tobytes()).hexdigest()
    print(json.dumps({"seconds": seconds, "fills": len(rows), "placed": grid.placed, "sha256": sha256}))


if __name__ == "__main__":
    main()
