"""Lays a grid's cells anew: where levels go, which cells stay themselves, where the content of the others goes."""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import CellMove
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.levels import build_levels, build_sizes, gap_at, scaled_sizes
from gridkeeper_core.grid.naming import Names
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import e9_text

GEOMETRY = ("lower_e6", "upper_e6", "intervals", "spacing", "custom_levels_e6")


class OldCells(msgspec.Struct, frozen=True, kw_only=True):
    """The cells as they are: levels and sizes from the lowest up, and which of them have an open order."""

    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    names: Names
    with_orders: frozenset[int]


class Laid(msgspec.Struct, frozen=True, kw_only=True):
    """The cells as they are to be. Cells that stay themselves keep their number."""

    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    numbers: tuple[int, ...]
    moves: tuple[CellMove, ...]


def same_levels(before: GridConfig, after: GridConfig) -> bool:
    """Whether two settings describe the same levels."""
    return all(getattr(before, field) == getattr(after, field) for field in GEOMETRY)


def lay(
    old: OldCells,
    config: GridConfig,
    spec: MarketSpec,
    price_e6: int,
    *,
    levels_e6: tuple[int, ...] | None = None,
    share_e4: int,
    content_e9: int | None = None,
    is_fresh: bool = False,
) -> Laid:
    """New cells for these settings, on the given levels or those the settings build.

    A neutral grid is laid as if it began at this price; in a long or short one, and where `content_e9` says how much,
    the cells hold together what they held. With `is_fresh` no cell stays itself. Raises GridkeeperError where no
    levels or sizes can be built, and EDIT_LOSES_CONTENT where the content has no room.
    """
    levels = levels_e6 or build_levels(config, spec)
    sizes = scaled_sizes(build_sizes(config, spec, levels), share_e4, spec, levels)
    stays = {} if is_fresh else _staying(old, levels, sizes, config)
    held = _held(old, config, levels, sizes, stays, price_e6, content_e9)
    unused = old.names.next_unused(len(old.sizes_e9))
    numbers = []
    for place in range(len(sizes)):
        if place in stays:
            numbers.append(old.names.number(stays[place]))
        else:
            numbers.append(unused)
            unused += 1
    return Laid(
        levels_e6=levels,
        sizes_e9=sizes,
        held_e9=held,
        numbers=tuple(numbers),
        moves=_moves(old, frozenset(stays.values()), levels, tuple(numbers)),
    )


def _staying(
    old: OldCells, levels_e6: tuple[int, ...], sizes_e9: tuple[int, ...], config: GridConfig
) -> dict[int, int]:
    """New place -> old place of cells between the same levels that did not shrink under an order or their content."""
    places = {(old.levels_e6[k], old.levels_e6[k + 1]): k for k in range(len(old.sizes_e9))}
    stays: dict[int, int] = {}
    for place, size in enumerate(sizes_e9):
        was = places.get((levels_e6[place], levels_e6[place + 1]))
        if was is None:
            continue
        held = old.held_e9[was]
        content = old.sizes_e9[was] - held if config.direction == "short" else held
        least = old.sizes_e9[was] if was in old.with_orders else content
        if size >= least:
            stays[place] = was
    return stays


def _held(
    old: OldCells,
    config: GridConfig,
    levels_e6: tuple[int, ...],
    sizes_e9: tuple[int, ...],
    stays: dict[int, int],
    price_e6: int,
    content_e9: int | None,
) -> tuple[int, ...]:
    gap = gap_at(levels_e6, price_e6)
    if config.direction == "neutral" and content_e9 is None:
        full = {k for k, was in stays.items() if old.held_e9[was] == old.sizes_e9[was]}
        kept = {k: sizes_e9[k] if k in full else old.held_e9[was] for k, was in stays.items()}
        return tuple(kept.get(k, size if k >= gap else 0) for k, size in enumerate(sizes_e9))
    upwards = [*range(gap, len(sizes_e9)), *range(min(gap, len(sizes_e9)) - 1, -1, -1)]
    if config.direction == "short":
        # What a short grid holds is the room of its cells: it is mirrored.
        kept = {k: old.sizes_e9[was] - old.held_e9[was] for k, was in stays.items()}
        wanted = sum(old.sizes_e9) - sum(old.held_e9) if content_e9 is None else content_e9
        downwards = [*range(min(gap, len(sizes_e9)) - 1, -1, -1), *range(gap, len(sizes_e9))]
        room = _filled(sizes_e9, kept, downwards, wanted)
        return tuple(size - part for size, part in zip(sizes_e9, room, strict=True))
    kept = {k: old.held_e9[was] for k, was in stays.items()}
    return _filled(sizes_e9, kept, upwards, sum(old.held_e9) if content_e9 is None else content_e9)


def _filled(sizes_e9: tuple[int, ...], kept: dict[int, int], order: list[int], wanted_e9: int) -> tuple[int, ...]:
    """What each cell gets when `wanted_e9` is poured into those that are not kept, in this order."""
    parts = dict(kept)
    left = wanted_e9 - sum(kept.values())
    assert left >= 0
    for place in order:
        if place not in kept:
            parts[place] = min(sizes_e9[place], left)
            left -= parts[place]
    # Cells that stay take what is over, the same way, before it is refused.
    for place in order:
        more = min(sizes_e9[place] - parts[place], left)
        parts[place] += more
        left -= more
    if left:
        expected = f"cells for {e9_text(wanted_e9)}"
        raise GridkeeperError("EDIT_LOSES_CONTENT", field="grid.size", value=e9_text(sum(sizes_e9)), expected=expected)
    return tuple(parts[place] for place in range(len(sizes_e9)))


def _moves(
    old: OldCells, stayed: frozenset[int], levels_e6: tuple[int, ...], numbers: tuple[int, ...]
) -> tuple[CellMove, ...]:
    """Each given-up cell goes to the new cell around its middle, or to the end that is nearest."""
    moves = []
    for was in range(len(old.sizes_e9)):
        if was in stayed:
            continue
        middle_e6 = (old.levels_e6[was] + old.levels_e6[was + 1]) // 2
        place = min(max(bisect_right(levels_e6, middle_e6) - 1, 0), len(numbers) - 1)
        moves.append(CellMove(old.names.number(was), numbers[place]))
    return tuple(moves)
