"""Keeps what is left of a grid that ended in a few hundred bytes: there may be very many over the years."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.state import GridState, Status

_SETTINGS = GridConfig.__struct_fields__


class _Left(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of a grid that ended: how, with which settings, and what it came to."""

    status: Status
    stop_code: str
    told: dict[str, str]
    position_e9: int
    cash_e6: int
    fees_e6: int
    fills: int
    turns: int
    settings: tuple[Any, ...]


def packed(state: GridState) -> bytes:
    """A grid that ended, without what it traded with: cells, orders, memory, and the text of its file."""
    config = msgspec.structs.replace(state.config, custom_levels_e6=())
    left = _Left(
        state.status,
        state.stop_code,
        state.told,
        state.position_e9,
        state.cash_e6,
        state.fees_e6,
        state.fills,
        state.turns,
        tuple(getattr(config, field) for field in _SETTINGS),
    )
    return zlib.compress(msgspec.msgpack.encode(left))


def unpacked(grid_id: str, kept: bytes) -> GridState:
    """What `packed` kept."""
    left = msgspec.msgpack.decode(zlib.decompress(kept), type=_Left)
    settings = dict(zip(_SETTINGS, left.settings, strict=True)) | {"custom_levels_e6": ()}
    return GridState(
        grid_id=grid_id,
        status=left.status,
        config=GridConfig(**settings),
        told=left.told,
        start_position_e9=left.position_e9,
        cash_e6=left.cash_e6,
        fees_e6=left.fees_e6,
        fills=left.fills,
        turns=left.turns,
        stop_code=left.stop_code,
    )
