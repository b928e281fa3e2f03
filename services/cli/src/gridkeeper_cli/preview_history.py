"""What recordings say for a preview: the price's history and the mean funding rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gridkeeper_cli.typical_markets import typical_market
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.suggest import History, history_of
from gridkeeper_core.units import NS_PER_S
from gridkeeper_lab.funding_file import read_funding
from gridkeeper_lab.tape import Tape, TapeSpec

_HOUR_NS = 3600 * NS_PER_S


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A history and the last recorded price (1e-6)."""

    history: History
    last_e6: int


def history_in(files: Sequence[Path], market: str) -> Read:
    """The statistics of recorded prices. Raises GridkeeperError BAD_FILE, BAD_DATA, MARKET_UNKNOWN."""
    spec = typical_market(market)
    tape = Tape(files, TapeSpec(market=market, tick_e6=spec.tick_e6, step_e9=spec.step_e9))
    last_e6 = 0

    def prices() -> Iterator[tuple[int, int]]:
        nonlocal last_e6
        for row in tape.rows():
            last_e6 = row[1]
            yield row[0], row[1]

    history = history_of(prices())
    return Read(history=history, last_e6=last_e6)


def paid_hour_e9(files: Sequence[Path]) -> int:
    """The mean rate per hour (1e-9 of notional) of recorded payments. Raises GridkeeperError BAD_FILE, BAD_DATA."""
    payments = read_funding(files)
    if len(payments) < 2:
        raise GridkeeperError("BAD_DATA", field="--funding", value=len(payments), expected="at least two payments")
    # The first payment is for a time before the recording began.
    paid_e12 = sum(payment.rate_e12 for payment in payments[1:])
    return paid_e12 * _HOUR_NS // ((payments[-1].ts_ns - payments[0].ts_ns) * 1_000)
