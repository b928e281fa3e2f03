"""A market made of a seed: the price of a row depends on (seed, row) and nothing else, on every platform.

The walk is a sum of octaves of value noise: each octave draws a hashed number at knots `period` rows apart and goes
smoothly from one to the next. Octaves are bounded, so the price always comes back to its start; each is a quarter as
long and half as high as the one before it, which is how a random walk scales. All arithmetic is in integers.
"""

from __future__ import annotations

import functools
import hashlib

import msgspec

from gridkeeper_core.market import round_half_even_to
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9

SOURCE = "synthetic"
_ONE = 1 << 32
_SIZE_OCTAVE, _SIDE_OCTAVE = -1, -2
_KNOTS_KEPT = 4096


class SyntheticMarket(msgspec.Struct, frozen=True, kw_only=True):
    """What a seeded market is made from.

    The price stays within `amplitude_e4` (ratio 1e-4) of `start_e6`; `period_rows` is the length of the longest octave.
    Trade sizes lie between a half and twice `size_e9`.
    """

    market: str
    seed: int
    start_e6: int
    tick_e6: int
    step_e9: int
    amplitude_e4: int = 600
    period_rows: int = 256
    octaves: int = 4
    size_e9: int = 5 * E9

    def price_e6(self, row: int) -> int:
        """The price of a row (rows count from 1), a multiple of the tick and at least one tick."""
        offset = sum(_octave(self.seed, octave, row, self.period_rows) >> octave for octave in range(self.octaves))
        # The octaves' heights are 1, 1/2, 1/4 …: divided by their sum they stay within the amplitude.
        heights = 2 * _ONE - (2 * _ONE >> self.octaves)
        moved_e6 = self.start_e6 + self.start_e6 * self.amplitude_e4 * offset // (10_000 * heights)
        return max(self.tick_e6, round_half_even_to(moved_e6, 1, self.tick_e6))

    def price(self, row: int, ts_ns: int) -> Price:
        """The whole observation; `ts_ns` (UTC) is the caller's, since a seed knows no time."""
        return Price(
            market=self.market,
            source=SOURCE,
            source_seq=row,
            ts_ns=ts_ns,
            oracle_e6=self.price_e6(row),
            size_e9=self._trade_size_e9(row),
            side=self._side(row),
        )

    def _trade_size_e9(self, row: int) -> int:
        drawn = _noise(self.seed, _SIZE_OCTAVE, row) + _ONE  # 0 … 2
        size_e9 = self.size_e9 // 2 + 3 * self.size_e9 * drawn // (4 * _ONE)
        return max(self.step_e9, size_e9 - size_e9 % self.step_e9)

    def _side(self, row: int) -> int:
        now_e6, before_e6 = self.price_e6(row), self.price_e6(row - 1)
        if now_e6 == before_e6:
            return 1 if _noise(self.seed, _SIDE_OCTAVE, row) >= 0 else -1
        return 1 if now_e6 > before_e6 else -1


def _octave(seed: int, octave: int, row: int, longest: int) -> int:
    """Noise of -1 … 1 (times 2^32) at a row: smooth between its two knots."""
    period = max(1, longest >> (2 * octave))
    knot, inside = divmod(row, period)
    left, right = _noise(seed, octave, knot), _noise(seed, octave, knot + 1)
    way = E6 * inside // period
    smooth = way * way * (3 * E6 - 2 * way)  # 3x² - 2x³, times 1e18
    return left + (right - left) * smooth // E6**3


@functools.lru_cache(maxsize=_KNOTS_KEPT)
def _noise(seed: int, octave: int, knot: int) -> int:
    """A hashed number of -1 … 1 (times 2^32)."""
    digest = hashlib.blake2b(f"{seed}/{octave}/{knot}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2 * _ONE) - _ONE
