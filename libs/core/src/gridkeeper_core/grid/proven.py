"""The named facts of a grid that a replay must come to."""

from __future__ import annotations

from gridkeeper_core.digest import digest_of
from gridkeeper_core.grid.state import GridState


def grid_digest(state: GridState) -> str:
    """`digest_v1` of a grid: status, settings that matter, cells, open orders, money."""
    return digest_of(
        1,
        {
            "status": state.status,
            "levels_e6": state.levels_e6,
            "sizes_e9": state.sizes_e9,
            "held_e9": tuple(state.held_e9),
            "cycles": tuple(state.cycles),
            "orders": tuple(
                (o.intent_id, o.price_e6, o.size_e9, o.filled_e9, o.unwanted) for _, o in sorted(state.orders.items())
            ),
            "pauses": tuple(sorted(state.pauses)),
            "range_left": state.range_left,
            "cells": state.names.all(len(state.sizes_e9)),
            "risk": (state.risk_base_e6, state.memory.tier, state.memory.cool_until_ns),
            "flag": (state.memory.flag, state.memory.flag_until_ns),
            "position_e9": state.position_e9,
            "cash_e6": state.cash_e6,
            "fees_e6": state.fees_e6,
            "fills": state.fills,
        },
    )
