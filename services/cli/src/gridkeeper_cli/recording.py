"""Reads a recording through once before anything is started on it: a bad row is better known now than in the night."""

from __future__ import annotations

from collections import deque

from gridkeeper_cli.gridkeeper_toml import replayed_files
from gridkeeper_cli.typical_markets import typical_market
from gridkeeper_lab.tape import Tape, TapeSpec


def check_recording(market: str, source: str) -> None:
    """Raises GridkeeperError BAD_DATA naming file, row and column, or BAD_FILE; nothing to do for other sources."""
    files = replayed_files(source)
    if not files:
        return
    spec = typical_market(market)
    tape = Tape(files, TapeSpec(market=market, tick_e6=spec.tick_e6, step_e9=spec.step_e9))
    deque(tape.rows(), maxlen=0)
