"""Proves fills whose records are lost, from the venue's exact counters; where they leave two possibilities, nothing.

An order's own counter, or its being gone together with the change of the position, says how much was filled. Entry,
break-even and quote amounts say at which price and fee: the fee is the change of break-even less the change of entry.
A flat position has neither; what closed it is proven only where its price is known, that of a maker.
A guess is checked by doing it: all four amounts of the position must come out to the unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

import msgspec

from gridkeeper_core.events import PositionState
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.state import AccountState, flat_position
from gridkeeper_core.units import E9, div_ceil, div_trunc
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill
from gridkeeper_core.venue.records import VenueAccount

FEE_E5 = 10**5
ORDERS_TRIED = 5
ROUNDING_E6 = 16
"""A fee taken in several parts is rounded in each; more than this off is another cause, such as funding."""


class ProvenEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an attempt: this much more filled (0 = nothing) at this quote and fee; gone or still open."""

    attempt: Attempt
    base_e9: int
    quote_e6: int
    fee_e6: int
    is_gone: bool


def prove(state: AccountState, account: VenueAccount, specs: Iterable[MarketSpec]) -> list[ProvenEnd] | None:
    """What the counters prove of every attempt that differs; None where they do not determine it all."""
    by_index = {spec.index: spec for spec in specs}
    ends: list[ProvenEnd] = []
    held = {p.market_index: p for p in account.positions}
    for index in sorted({a.market_index for a in state.attempts.values()}):
        flat = flat_position("", index)
        before, after = state.positions.get(index, flat), held.get(index)
        moved_e9 = (after or flat).base_e9 - before.base_e9
        sizes = _sizes(state, account, index, None if _agrees(before, after) else moved_e9)
        spec = by_index.get(index)
        if sizes is None or spec is None:
            return None
        found = _with_money(before, after, sizes, spec)
        if found is None:
            return None
        ends += found
    return ends


class _Size(msgspec.Struct, frozen=True):
    attempt: Attempt
    base_e9: int
    is_gone: bool


def _sizes(state: AccountState, account: VenueAccount, index: int, moved_e9: int | None) -> list[_Size] | None:
    """How much of each attempt is filled, if the position moved by this base (None: not in any of its amounts).

    None where it is not determined.
    """
    held = {order.order_id: order for order in account.orders}
    sizes: list[_Size] = []
    gone: list[Attempt] = []
    for attempt in (a for a in state.attempts.values() if a.market_index == index):
        order = held.get(attempt.order_id) if attempt.order_id is not None else None
        if order is None:
            gone.append(attempt)
            continue
        more_e9 = order.filled_e9 - attempt.filled_e9
        if more_e9 < 0 or (more_e9 and moved_e9 is None):
            return None
        if more_e9 and moved_e9 is not None:
            sizes.append(_Size(attempt, more_e9, is_gone=False))
            moved_e9 -= _sign(attempt) * more_e9
    if moved_e9 is None:
        # A buy and a sell of the same size would leave the base alone, but never all of the quote amounts.
        return [_Size(a, 0, is_gone=True) for a in gone]
    base_e9 = state.positions[index].base_e9 if index in state.positions else 0
    of_gone = _sizes_of_gone(gone, moved_e9, abs(base_e9))
    return None if of_gone is None else [*sizes, *of_gone]


def _sizes_of_gone(gone: list[Attempt], moved_e9: int, position_e9: int) -> list[_Size] | None:
    """Orders that are gone were filled by something between nothing and what was left: unique only at the extremes."""
    most = {a.intent_id: min(a.left_e9, position_e9) if a.closes_all else a.left_e9 for a in gone}
    fillable = [a for a in gone if most[a.intent_id]]
    if len(fillable) == 1:
        base_e9 = moved_e9 * _sign(fillable[0])
        if not 0 <= base_e9 <= most[fillable[0].intent_id]:
            return None
        return [_Size(a, base_e9 if a is fillable[0] else 0, is_gone=True) for a in gone]
    for full_side in ("buy", "sell"):
        reached_e9 = sum(_sign(a) * most[a.intent_id] for a in fillable if a.side == full_side)
        if moved_e9 == reached_e9:
            return [_Size(a, most[a.intent_id] if a.side == full_side else 0, is_gone=True) for a in gone]
    return None


def _with_money(
    before: PositionState, after: PositionState | None, sizes: list[_Size], spec: MarketSpec
) -> list[ProvenEnd] | None:
    """Quote and fee of each fill, such that all of them together give the position as the venue has it."""
    filled = [size for size in sizes if size.base_e9]
    if not filled:
        return [_end(size, 0, 0) for size in sizes] if _agrees(before, after) else None
    if len(filled) == 1 and after is not None:
        money = _of_one(before, after, filled[0], spec)
    else:
        money = _at_limit_prices(filled, spec)
    if money is None:
        return None
    pairs = dict(zip((size.attempt.intent_id for size in filled), money, strict=True))
    for order in _orders(filled):
        if _comes_out(before, after, order, pairs):
            unfilled = [_end(size, 0, 0) for size in sizes if not size.base_e9]
            return [*(_end(size, *pairs[size.attempt.intent_id]) for size in order), *unfilled]
    return None


def _orders(filled: list[_Size]) -> Iterable[Sequence[_Size]]:
    """In which order they may have been filled; what each filled for is the same in all of them."""
    if len(filled) <= ORDERS_TRIED:
        return permutations(filled)
    by_price = sorted(filled, key=lambda size: size.attempt.price_e6)
    return (by_price, by_price[::-1], filled)


def _comes_out(
    before: PositionState, after: PositionState | None, filled: Iterable[_Size], pairs: dict[str, tuple[int, int]]
) -> bool:
    position = before
    for size in filled:
        quote_e6, fee_e6 = pairs[size.attempt.intent_id]
        sign = _sign(size.attempt)
        position, _ = apply_fill(position, sign * size.base_e9, -sign * quote_e6)
        position = apply_fee(position, fee_e6)
    return _agrees(position, after)


def _of_one(before: PositionState, after: PositionState, size: _Size, spec: MarketSpec) -> list[tuple[int, int]] | None:
    """One fill: three changes, two unknowns, so that the third proves the other two."""
    if after.base_e9 == 0:
        return _of_closing(before, after, size, spec)
    delta_e9 = _sign(size.attempt) * size.base_e9
    even_e6 = before.quote_break_even_e6
    change_e6 = after.quote_asset_e6 - before.quote_asset_e6
    if before.base_e9 == 0 or (before.base_e9 > 0) == (delta_e9 > 0):
        entered_e6 = after.quote_entry_e6 - before.quote_entry_e6
        fee_e6 = entered_e6 - (after.quote_break_even_e6 - even_e6)
    elif abs(delta_e9) < abs(before.base_e9):
        fee_e6 = even_e6 - div_trunc(even_e6 * abs(delta_e9), abs(before.base_e9)) - after.quote_break_even_e6
    else:
        fee_e6 = after.quote_entry_e6 - after.quote_break_even_e6
    quote_e6 = abs(change_e6 + fee_e6)
    return [(quote_e6, fee_e6)] if _is_plausible(size, quote_e6, fee_e6, spec) else None


def _of_closing(
    before: PositionState, after: PositionState, size: _Size, spec: MarketSpec
) -> list[tuple[int, int]] | None:
    """A fill that left nothing: entry and break-even are gone, so that only a maker's own price tells the fee."""
    if size.attempt.post_only == "none":
        return None
    worth = size.attempt.price_e6 * size.base_e9
    is_buy = size.attempt.side == "buy"
    quote_e6 = worth // E9 if is_buy else div_ceil(worth, E9)
    fee_e6 = before.quote_asset_e6 - after.quote_asset_e6 + (-quote_e6 if is_buy else quote_e6)
    return [(quote_e6, fee_e6)] if _is_plausible(size, quote_e6, fee_e6, spec) else None


def _at_limit_prices(filled: list[_Size], spec: MarketSpec) -> list[tuple[int, int]] | None:
    """Several fills: makers fill at their own prices for the rebate of the day, or the whole is not determined."""
    money = []
    for size in filled:
        quote, rest = divmod(size.attempt.price_e6 * size.base_e9, E9)
        if rest or size.attempt.post_only == "none":
            return None
        money.append((quote, -(quote * -spec.maker_fee_e5 // FEE_E5)))
    return money


def _is_plausible(size: _Size, quote_e6: int, fee_e6: int, spec: MarketSpec) -> bool:
    """Whether price and fee are those of the order: else something beside the fill moved the position."""
    attempt = size.attempt
    if attempt.post_only != "none":
        is_at_price = abs(quote_e6 * E9 - attempt.price_e6 * size.base_e9) < E9
        return is_at_price and abs(fee_e6 * FEE_E5 - quote_e6 * spec.maker_fee_e5) <= ROUNDING_E6 * FEE_E5
    rates = (spec.maker_fee_e5, spec.taker_fee_e5)
    return any(abs(fee_e6 * FEE_E5 - quote_e6 * rate) <= ROUNDING_E6 * FEE_E5 for rate in rates)


def _sign(attempt: Attempt) -> int:
    return 1 if attempt.side == "buy" else -1


def _agrees(ours: PositionState, venue: PositionState | None) -> bool:
    """Whether they say the same; a position that is flat and settled is not shown any more."""
    return _amounts(ours) == ((0, 0, 0, 0) if venue is None else _amounts(venue))


def _amounts(position: PositionState) -> tuple[int, int, int, int]:
    return (
        position.base_e9,
        position.quote_asset_e6,
        position.quote_entry_e6,
        position.quote_break_even_e6,
    )


def _end(size: _Size, quote_e6: int, fee_e6: int) -> ProvenEnd:
    return ProvenEnd(attempt=size.attempt, base_e9=size.base_e9, quote_e6=quote_e6, fee_e6=fee_e6, is_gone=size.is_gone)
