"""How a grid begins: the slots are granted, perhaps a start price is waited for, then it opens at the price of then."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import levels, stops
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import WAITING_TRIGGER
from gridkeeper_core.grid.triggers import stale_after_ns
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S, duration_text, e6_text, e9_text


def reserved(d: Decision, fact: e.SlotsReserved) -> None:
    """Execution granted the slots: open the grid, or wait for its start price, or refuse it with the reason."""
    if d.state.status != "proposed":
        return
    if d.newest is None:
        d.add(e.GridRejected(code="NO_PRICE", detail=f"no price of {d.state.config.market} was seen yet"))
        return
    if d.now_ns > stale_after_ns(d.state, d.newest):
        age = duration_text((d.now_ns - d.newest.ts_ns) // NS_PER_S * NS_PER_S)
        d.add(e.GridRejected(code="NO_PRICE", detail=f"the newest price of {d.state.config.market} is {age} old"))
        return
    trigger_e6, price_e6 = d.state.config.start_trigger_e6, d.newest.oracle_e6
    granted = e.GridArmed(
        trigger_e6=price_e6 if trigger_e6 is None else trigger_e6,
        above=trigger_e6 is not None and trigger_e6 > price_e6,
        spec=fact.spec,
        position_e9=fact.position_e9,
        quote_entry_e6=fact.quote_entry_e6,
    )
    _begin(d, granted, waits=granted.trigger_e6 != price_e6)


def check_trigger(d: Decision, newest: Price) -> None:
    """Open a waiting grid once its start price is reached, unless it waits for something else as well."""
    armed, price_e6 = d.state.armed, newest.oracle_e6
    assert armed is not None
    if set(d.state.pauses) != {WAITING_TRIGGER} or d.now_ns > stale_after_ns(d.state, newest):
        return
    if price_e6 >= armed.trigger_e6 if armed.above else price_e6 <= armed.trigger_e6:
        _begin(d, armed, waits=False)


def _begin(d: Decision, granted: e.GridArmed, *, waits: bool) -> None:
    """A grid that could not open at its start price is refused before it waits for it."""
    assert d.newest is not None
    try:
        opened = opening(d.state.config, granted, granted.trigger_e6 if waits else d.newest.oracle_e6)
    except GridkeeperError as refusal:
        d.add(e.GridRejected(code=refusal.code, detail=str(refusal)))
        return
    d.add(granted if waits else opened)


def opening(config: GridConfig, granted: e.GridArmed, price_e6: int) -> e.GridOpened:
    """Levels, sizes and content at a price. Raises GridkeeperError with what has to be changed."""
    levels_e6 = levels.build_levels(config, granted.spec)
    sizes_e9 = levels.build_sizes(config, granted.spec, levels_e6)
    held_e9 = levels.neutral_start(levels_e6, sizes_e9, price_e6)
    _check_position(config, granted)
    stops.check_open(config, price_e6)
    start_e9 = granted.position_e9 if config.adopt else 0
    return e.GridOpened(
        levels_e6=levels_e6,
        sizes_e9=sizes_e9,
        held_e9=held_e9,
        start_price_e6=price_e6,
        start_position_e9=start_e9,
        spec=granted.spec,
        start_quote_entry_e6=granted.quote_entry_e6 if start_e9 else None,
        entry_e9=_entry_e9(config, sizes_e9, held_e9, start_e9),
        enters=config.direction != "neutral",
        capital_e6=levels.capital_e6(config, levels_e6, sizes_e9, price_e6),
        adopted_from=config.account if start_e9 else "",
    )


def _entry_e9(config: GridConfig, sizes_e9: tuple[int, ...], held_e9: tuple[int, ...], start_e9: int) -> int:
    """What is to be bought (positive) or sold first; never less than nothing of what is there."""
    match config.direction:
        case "neutral":
            return 0
        case "long":
            return max(sum(held_e9) - start_e9, 0)
        case "short":
            return min(sum(held_e9) - sum(sizes_e9) - start_e9, 0)


def _check_position(config: GridConfig, granted: e.GridArmed) -> None:
    position_e9 = granted.position_e9
    if position_e9 and not config.adopt:
        raise GridkeeperError("POSITION_EXISTS", field="grid.adopt", value=_text(granted.spec, position_e9))
    wrong = {"neutral": False, "long": position_e9 < 0, "short": position_e9 > 0}
    if config.adopt and wrong[config.direction]:
        raise GridkeeperError(
            "POSITION_SIDE",
            field="grid.direction",
            value=f"{config.direction}, position {_text(granted.spec, position_e9)}",
        )


def _text(spec: MarketSpec, position_e9: int) -> str:
    return f"{e9_text(position_e9)} {spec.symbol}"


def trigger_text(armed: e.GridArmed) -> str:
    """What a waiting grid waits for, in words."""
    return f"price at {e6_text(armed.trigger_e6)} or {'above' if armed.above else 'below'}"
