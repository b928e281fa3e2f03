"""Counts the rows of several markets as one tape in order of time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from gridkeeper_lab.columns import Columns
from gridkeeper_lab.outcome import Fills


def counted_over_all(fills: Fills, market: str, tapes: Mapping[str, Columns]) -> Fills:
    """The fills with their rows counted over all tapes; at equal times the market named first comes first."""
    own = tapes[market]
    rows = fills.row.copy()
    is_before = True
    for name, tape in tapes.items():
        if name == market:
            is_before = False
            continue
        rows += np.searchsorted(tape.ts_ns, own.ts_ns[fills.row], side="right" if is_before else "left")
    return msgspec.structs.replace(fills, row=rows)
