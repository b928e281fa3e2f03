"""Reads recorded trades and candles as one tape: trades in the market's own ticks and steps, in flat memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gridkeeper_core.prices.path import TENTH, Bar, CandlePath, Participation, PathOrder, TickRule, TradeRow
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9, NS_PER_MS
from gridkeeper_lab.table import ScaledCells, Table, open_table

SOURCE = "tape"
"""What `Price.source` says of a recorded price: the same in lab and replay, so that both record equal facts."""

PRICE_MAX = 10**9
"""Quote per base; what lies above is taken for a mistake, not for a market."""
SIZE_MAX = 10**15
JUMP_MAX = 10
"""A price ten times its neighbour is a misplaced decimal point, and would fill a whole grid at once."""

_LAYOUTS = "ts_ns|ts_ms,price,size,side or ts_ms,open,high,low,close,volume or trade_ts_ms,price,qty,is_buyer_maker"
CANDLE = ("ts_ms", "open", "high", "low", "close", "volume")
MAKER_TRADE = ("trade_ts_ms", "price", "qty", "is_buyer_maker")
SIDES = {"buy": 1, "sell": -1, "1": 1, "-1": -1, "+1": 1}
BUYER_IS_MAKER = {"1": -1, "true": -1, "0": 1, "false": 1}
BARS_LOOKED_AHEAD = 64
LONE_BAR_NS = 60_000 * NS_PER_MS
_NS_MAX = 1 << 63


class TapeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How files are read: the market's tick and step, the path inside a candle, and which instrument of the files.

    `symbol` and `venue` choose among the rows of a file that holds several; without them such a file is refused.
    """

    market: str
    tick_e6: int
    step_e9: int
    path: PathOrder = "near"
    participation: Participation = TENTH
    symbol: str | None = None
    venue: str | None = None


class Tape:
    """One or more files, in order of time, as a stream of trades.

    Times never fall, also from one file to the next; candles never share one. Gaps are allowed. Raises GridkeeperError
    BAD_FILE when a file is not there, BAD_DATA naming file, row and column when one cannot be used.
    """

    def __init__(self, files: Sequence[Path], spec: TapeSpec) -> None:
        self._files = tuple(files)
        self._spec = spec

    def prices(self, *, after_row: int = 0, base_seq: int = 0) -> Iterator[Price]:
        """The rows after `after_row` as prices; `source_seq` is `base_seq` plus the row's number, over all files."""
        market = self._spec.market
        for seq, row in itertools.islice(enumerate(self.rows(), base_seq + 1), after_row, None):
            ts_ns, price_e6, size_e9, side, good_for_ns = row
            yield Price(
                market=market,
                source=SOURCE,
                source_seq=seq,
                ts_ns=ts_ns,
                oracle_e6=price_e6,
                size_e9=size_e9,
                side=side,
                good_for_ns=good_for_ns,
            )

    def rows(self) -> Iterator[TradeRow]:
        """The rows as bare trades, for readers that count them themselves."""
        reader = _Reader(self._spec)
        for file in self._files:
            with open_table(file) as table:
                yield from reader.rows(table)


class _Reader:
    """What is remembered from one row, and one file, to the next."""

    def __init__(self, spec: TapeSpec) -> None:
        self._spec = spec
        self._rule = TickRule()
        self._ts_ns = -1
        self._price_e6: int | None = None
        self._prices = ScaledCells(
            scale=E6,
            unit=spec.tick_e6,
            least=spec.tick_e6,
            most=PRICE_MAX * E6,
            expected=f"a price of one tick to {PRICE_MAX}",
        )
        self._sizes = ScaledCells(
            scale=E9, unit=spec.step_e9, least=0, most=SIZE_MAX * E9, expected=f"an amount of 0 to {SIZE_MAX}"
        )

    def rows(self, table: Table) -> Iterator[TradeRow]:
        """The rows of one file, by its layout."""
        table.choose({"symbol": self._spec.symbol, "venue": self._spec.venue})
        header = set(table.header)
        if header.issuperset(CANDLE):
            return self._candle_rows(table)
        if header.issuperset(MAKER_TRADE):
            return self._trade_rows(table, MAKER_TRADE, BUYER_IS_MAKER)
        if header.issuperset(("price", "size", "side")) and header & {"ts_ns", "ts_ms"}:
            time = "ts_ns" if "ts_ns" in header else "ts_ms"
            return self._trade_rows(table, (time, "price", "size", "side"), SIDES)
        raise table.bad_header(_LAYOUTS)

    def _trade_rows(self, table: Table, columns: Sequence[str], sides: Mapping[str, int]) -> Iterator[TradeRow]:
        unit_ns = 1 if columns[0] == "ts_ns" else NS_PER_MS
        prices, sizes = self._prices, self._sizes
        for cells in table.rows(columns):
            column = 0
            try:
                ts_ns = self._time_ns(cells[0], unit_ns, apart_ns=0)
                column = 1
                price_e6 = prices[cells[1]]
                self._check_jump(price_e6)
                column = 2
                size_e9 = sizes[cells[2]] if cells[2] else None
                column = 3
                side = _side(cells[3], sides) if cells[3] else self._rule.side_of(price_e6)
            except ValueError as error:
                raise table.bad_cell(columns[column], cells[column], error) from error
            yield TradeRow(ts_ns, price_e6, size_e9, side)

    def _candle_rows(self, table: Table) -> Iterator[TradeRow]:
        bars = self._bars(table)
        ahead = list(itertools.islice(bars, BARS_LOOKED_AHEAD))
        walk = CandlePath(
            bar_ns=min((b.ts_ns - a.ts_ns for a, b in itertools.pairwise(ahead)), default=LONE_BAR_NS),
            step_e9=self._spec.step_e9,
            order=self._spec.path,
            participation=self._spec.participation,
            rule=self._rule,
        )
        last_ns = -1
        for bar in itertools.chain(ahead, bars):
            if bar.ts_ns <= last_ns:
                why = ValueError("bars that do not overlap: one came sooner than those at the start of the file")
                raise table.bad_cell("ts_ms", str(bar.ts_ns // NS_PER_MS), why)
            points = walk.points(bar)
            yield from points
            last_ns = points[-1].ts_ns
        # The next file, too, begins after the last point of this one.
        self._ts_ns = max(self._ts_ns, last_ns)

    def _bars(self, table: Table) -> Iterator[Bar]:
        prices, sizes = self._prices, self._sizes
        for cells in table.rows(CANDLE):
            column = 0
            try:
                ts_ns = self._time_ns(cells[0], NS_PER_MS, apart_ns=NS_PER_MS)
                column = 1
                open_e6 = prices[cells[1]]
                self._check_jump(open_e6)
                column = 2
                high_e6 = _inside(prices[cells[2]], open_e6, open_e6 * JUMP_MAX, "a high not below the open")
                column = 3
                low_e6 = _inside(prices[cells[3]], open_e6 // JUMP_MAX, open_e6, "a low not above the open")
                column = 4
                close_e6 = _inside(prices[cells[4]], low_e6, high_e6, "a close between low and high")
                self._check_jump(close_e6)
                column = 5
                bar = Bar(ts_ns, open_e6, high_e6, low_e6, close_e6, sizes[cells[5]])
            except ValueError as error:
                raise table.bad_cell(CANDLE[column], cells[column], error) from error
            yield bar

    def _time_ns(self, text: str, unit_ns: int, *, apart_ns: int) -> int:
        try:
            ts_ns = int(text) * unit_ns
        except ValueError:
            raise ValueError("a whole number") from None
        if not 0 <= ts_ns < _NS_MAX:
            raise ValueError("a time in the unit of the column's name")
        if ts_ns < self._ts_ns + apart_ns and self._ts_ns >= 0:
            raise ValueError("a time after the row before" if apart_ns else "a time not before that of the row before")
        self._ts_ns = ts_ns
        return ts_ns

    def _check_jump(self, price_e6: int) -> None:
        before = self._price_e6
        if before is not None and not before < price_e6 * JUMP_MAX < before * JUMP_MAX * JUMP_MAX:
            raise ValueError(f"a price less than {JUMP_MAX} times away from the row before")
        self._price_e6 = price_e6


def _inside(price_e6: int, low_e6: int, high_e6: int, expected: str) -> int:
    if not low_e6 <= price_e6 <= high_e6:
        raise ValueError(f"{expected}, and no {JUMP_MAX} times away from it")
    return price_e6


def _side(text: str, sides: Mapping[str, int]) -> int:
    side = sides.get(text.lower())
    if side is None:
        raise ValueError(", ".join(sides))
    return side
