"""What a grid's capital earned in a year's terms, and how far its equity fell: folded from its marks."""

from __future__ import annotations

import msgspec

from gridkeeper_core.units import E4, NS_PER_S, div_trunc

YEAR_NS = 365 * 86_400 * NS_PER_S


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios are of the capital, yearly ones by 365 days (1e-4); null without a capital or before any time passed.

    Equity is capital and total PnL at each mark, its peak at least the capital; the drawdown is the deepest fall from a
    peak.
    """

    opened_ns: int
    until_ns: int
    capital_e6: int
    grid_apr_e4: int | None
    total_apr_e4: int | None
    peak_equity_e6: int
    drawdown_e6: int
    drawdown_e4: int


class Performance:
    """One grid, from its opening on. `capital_e6` is that of the opening, 0 where it was not recorded."""

    def __init__(self, opened_ns: int, capital_e6: int) -> None:
        self.capital_e6 = capital_e6
        self._opened_ns = opened_ns
        self._peak_e6 = 0
        self._fall_e6 = 0
        self._fall_peak_e6 = 0

    def marked(self, total_pnl_e6: int) -> None:
        """The total PnL at a mark."""
        self._peak_e6 = max(self._peak_e6, total_pnl_e6)
        if self._peak_e6 - total_pnl_e6 > self._fall_e6:
            self._fall_e6, self._fall_peak_e6 = self._peak_e6 - total_pnl_e6, self._peak_e6

    def earned(self, grid_profit_e6: int, total_pnl_e6: int, until_ns: int) -> Earned:
        """As of a moment, with the grid profit and the total PnL then."""
        capital, for_ns = self.capital_e6, max(until_ns - self._opened_ns, 0)
        return Earned(
            opened_ns=self._opened_ns,
            until_ns=until_ns,
            capital_e6=capital,
            grid_apr_e4=yearly_e4(grid_profit_e6, capital, for_ns),
            total_apr_e4=yearly_e4(total_pnl_e6, capital, for_ns),
            peak_equity_e6=capital + self._peak_e6,
            drawdown_e6=self._fall_e6,
            drawdown_e4=div_trunc(self._fall_e6 * E4, capital + self._fall_peak_e6) if capital else 0,
        )


def yearly_e4(earned_e6: int, capital_e6: int, for_ns: int) -> int | None:
    """The rate of a whole year (1e-4 of the capital)."""
    return div_trunc(earned_e6 * YEAR_NS * E4, capital_e6 * for_ns) if capital_e6 and for_ns else None
