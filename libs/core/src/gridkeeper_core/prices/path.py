"""Turns a recorded bar into the stated path of four trades that the lab and the sandbox both walk."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import msgspec

PathOrder = Literal["near", "far", "high", "low"]
PATH_ORDERS: tuple[str, ...] = get_args(PathOrder)
POINTS_PER_BAR = 4


class TradeRow(NamedTuple):
    """One trade of a tape: price 1e-6, size 1e-9 (None: the source has none), side +1 buyer aggressor, -1 seller.

    `good_for_ns` as in `Price`: a bar's price holds for a bar, 0 where nothing is known.
    """

    ts_ns: int
    price_e6: int
    size_e9: int | None
    side: int
    good_for_ns: int = 0


class Bar(NamedTuple):
    """One candle; `ts_ns` is when it opened. Precondition: low <= open, close <= high."""

    ts_ns: int
    open_e6: int
    high_e6: int
    low_e6: int
    close_e6: int
    volume_e9: int


class Participation(msgspec.Struct, frozen=True):
    """The share of a bar's volume that is said to trade at its four points."""

    numerator: int
    denominator: int


TENTH = Participation(1, 10)


class TickRule:
    """Who was the aggressor: a rise says the buyer, a fall the seller, no change the one before; at first the buyer."""

    def __init__(self) -> None:
        self._price_e6: int | None = None
        self._side = 1

    def side_of(self, price_e6: int) -> int:
        """The side of a trade at this price, which becomes the one before."""
        before = self._price_e6
        if before is not None and price_e6 != before:
            self._side = 1 if price_e6 > before else -1
        self._price_e6 = price_e6
        return self._side


class CandlePath:
    """Walks bars in their order: open, one extreme, the other, close; always four points, equal neighbours included.

    `near` takes the extreme nearer to the open first (the low where both are equally near), `far` the other one, `high`
    and `low` that one always. The points lie at 0, 1/4, 2/4 and 3/4 of the bar, so the next bar never overtakes them.
    `rule` carries the tick rule over from bars before.
    The volume times `participation` is spread over them in whole steps, the first points taking what does not divide.
    """

    def __init__(
        self,
        *,
        bar_ns: int,
        step_e9: int,
        order: PathOrder = "near",
        participation: Participation = TENTH,
        rule: TickRule | None = None,
    ) -> None:
        assert bar_ns >= POINTS_PER_BAR
        assert step_e9 > 0
        self._bar_ns = bar_ns
        self._step_e9 = step_e9
        self._order = order
        self._participation = participation
        self._rule = rule or TickRule()

    def points(self, bar: Bar) -> list[TradeRow]:
        """The four trades of the next bar."""
        side_of, ts_ns, bar_ns = self._rule.side_of, bar.ts_ns, self._bar_ns
        quarter_ns = bar_ns // POINTS_PER_BAR
        sizes = self._sizes_e9(bar.volume_e9)
        first, second = self._extremes(bar)
        return [
            TradeRow(ts_ns, bar.open_e6, sizes[0], side_of(bar.open_e6), bar_ns),
            TradeRow(ts_ns + quarter_ns, first, sizes[1], side_of(first), bar_ns),
            TradeRow(ts_ns + 2 * quarter_ns, second, sizes[2], side_of(second), bar_ns),
            TradeRow(ts_ns + 3 * quarter_ns, bar.close_e6, sizes[3], side_of(bar.close_e6), bar_ns),
        ]

    def _extremes(self, bar: Bar) -> tuple[int, int]:
        low_first = self._order == "low"
        if self._order in ("near", "far"):
            low_is_near = bar.open_e6 - bar.low_e6 <= bar.high_e6 - bar.open_e6
            low_first = low_is_near == (self._order == "near")
        return (bar.low_e6, bar.high_e6) if low_first else (bar.high_e6, bar.low_e6)

    def _sizes_e9(self, volume_e9: int) -> tuple[int, int, int, int]:
        part, step_e9 = self._participation, self._step_e9
        each, rest = divmod(volume_e9 * part.numerator // (part.denominator * step_e9), POINTS_PER_BAR)
        more_e9, less_e9 = (each + 1) * step_e9, each * step_e9
        return (
            more_e9 if rest > 0 else less_e9,
            more_e9 if rest > 1 else less_e9,
            more_e9 if rest > 2 else less_e9,
            less_e9,
        )
