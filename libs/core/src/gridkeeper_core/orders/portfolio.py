"""The whole account before each placement: margin over all markets, and the owner's limits on what it may come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gridkeeper_core.events import LimitsSet, WantedOrder
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.names import grid_of
from gridkeeper_core.orders.risk_gate import Approved, Exposure, Refused, exposure_of, review
from gridkeeper_core.orders.state import AccountState, QueuedWant, Reservation
from gridkeeper_core.units import E4, E6, E9, decimal_text

_NO_LIMITS = LimitsSet()
PriceOf = Callable[[str], int | None]
"""The newest oracle price of a market (1e-6), None where none is known."""


class Portfolio:
    """What an account could come to hold while one transaction is planned: approved orders count at once."""

    def __init__(self, state: AccountState, specs: Mapping[str, MarketSpec], price_of: PriceOf) -> None:
        self._state = state
        self._specs = {spec.index: spec for spec in specs.values()}
        self._price_of = price_of
        self._exposures: dict[int, Exposure] = {}
        self._held = {*state.positions, *[a.market_index for a in state.attempts.values()]}

    def review(self, order: WantedOrder, spec: MarketSpec) -> Approved | Refused:
        """Approve an order that margin and limits allow. What reduces always passes."""
        exposure = self._exposure(spec.index)
        verdict = review(order, exposure, spec, self._margin_elsewhere_e6(spec.index))
        if isinstance(verdict, Refused) or order.reduce_only or self._state.limits == _NO_LIMITS:
            return verdict
        return self._within_limits(verdict, exposure, exposure.with_order(order.side, order.size_e9), spec)

    def place(self, order: WantedOrder, spec: MarketSpec) -> None:
        """Count an order that is going to be placed."""
        if not order.reduce_only:
            self._exposures[spec.index] = self._exposure(spec.index).with_order(order.side, order.size_e9)

    def _within_limits(
        self, verdict: Approved, before: Exposure, after: Exposure, spec: MarketSpec
    ) -> Approved | Refused:
        limits = self._state.limits
        if after.notional_e6 <= before.notional_e6:
            return verdict
        elsewhere = [self._exposure(index) for index in self._markets() if index != spec.index]
        margin_e6 = self._margin_elsewhere_e6(spec.index) + after.margin_e6(spec)
        checks = (
            ("LIMIT_MARKET", after.notional_e6, limits.max_per_market_e6),
            ("LIMIT_GROSS", after.notional_e6 + sum(e.notional_e6 for e in elsewhere), limits.max_gross_e6),
            ("LIMIT_COLLATERAL", margin_e6, _share_of(after.equity_e6, limits.max_collateral_share_e4)),
        )
        for code, value, allowed in checks:
            if allowed is not None and value > allowed:
                return Refused(order=verdict.order, code=code, detail=f"{value} of at most {allowed} (quote 1e-6)")
        return verdict

    def _margin_elsewhere_e6(self, market_index: int) -> int:
        """The initial margin of all other markets, at their present ratios."""
        if self._held <= {market_index} and self._exposures.keys() <= {market_index}:
            return 0  # asked of every order: nearly every account trades one market
        others = (index for index in self._markets() if index != market_index and index in self._specs)
        return sum(self._exposure(index).margin_e6(self._specs[index]) for index in others)

    def _markets(self) -> Iterable[int]:
        return sorted({*self._held, *self._exposures})

    def _exposure(self, market_index: int) -> Exposure:
        known = self._exposures.get(market_index)
        if known is None:
            known = exposure_of(self._state, market_index, self._price_e6)
            self._exposures[market_index] = known
        return known

    def _price_e6(self, market_index: int) -> int:
        """The newest price, else that of the reading it began with, else what was traded or is bid for there."""
        spec = self._specs.get(market_index)
        if price_e6 := (self._price_of(spec.symbol) if spec is not None else None):
            return price_e6
        position = self._state.positions.get(market_index)
        if position is not None and position.base_e9:
            return position.oracle_e6 or abs(position.quote_entry_e6) * E9 // abs(position.base_e9)
        return max((a.price_e6 for a in self._state.attempts.values() if a.market_index == market_index), default=0)


def nearest_first(queued: Iterable[QueuedWant], price_of: PriceOf) -> list[QueuedWant]:
    """By the way the price has to go (share of it), whichever grid it is for; each grid's own order is kept.

    So where margin is short, the orders most likely to trade get it.
    """
    farthest: dict[str, int] = {}
    ranked: list[tuple[int, QueuedWant]] = []
    for one in queued:
        grid_id, price_e6 = grid_of(one.want.intent_id), price_of(one.market)
        closes = one.want.reduce_only or not price_e6
        away_e6 = 0 if closes or not price_e6 else abs(one.want.price_e6 - price_e6) * E6 // price_e6
        farthest[grid_id] = max(farthest.get(grid_id, 0), away_e6)
        ranked.append((farthest[grid_id], one))
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def leverage_breach(reservations: Mapping[str, Reservation], spec: MarketSpec) -> str:
    """Which grids of a market have more leverage than its margin ratio allows now, in words; "" = none."""
    found = [
        f"{grid_id} has {decimal_text(reservation.leverage_e4, E4)}"
        for grid_id, reservation in sorted(reservations.items())
        if reservation.market == spec.symbol and reservation.leverage_e4 * spec.margin_ratio_initial_e4 > E4 * E4
    ]
    most = decimal_text(E4 * E4 // spec.margin_ratio_initial_e4, E4)
    return f"the market allows a leverage of {most} now, {', '.join(found)}" if found else ""


def _share_of(equity_e6: int, share_e4: int | None) -> int | None:
    return None if share_e4 is None else max(equity_e6, 0) * share_e4 // E4
