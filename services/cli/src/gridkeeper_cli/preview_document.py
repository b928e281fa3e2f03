"""A preview as JSON and as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from gridkeeper_cli.documents import Document, iso_utc, optional_e6
from gridkeeper_cli.grid_file import Previewed
from gridkeeper_cli.render import facts, table
from gridkeeper_core.grid.expectation import Expectation
from gridkeeper_core.grid.preview import Preview
from gridkeeper_core.grid.preview_checks import Refusal, open_refusals
from gridkeeper_core.grid.preview_money import Inventory, Turn
from gridkeeper_core.grid.preview_stops import StopLine
from gridkeeper_core.units import E4, decimal_text, e6_text, e9_text

_ROWS_SHOWN = 40
_METHODS = {
    "closed form": "closed form, the account holds nothing else",
    "search": "search with the venue's margin function, the whole account counted",
}
_LEVEL_COLUMNS = (
    ("level", ">level"),
    ("price", ">price"),
    ("side", "order"),
    ("size", ">size"),
    ("live", "live"),
    ("turn_profit", ">profit per turn"),
)


def document(previewed: Previewed, accepted: Sequence[str]) -> Document:
    """The preview; `error` is there when a refusal was not accepted."""
    p = previewed.preview
    made: Document = {
        "id": p.grid_id,
        "market": p.market,
        "account": p.account,
        "direction": p.direction,
        "price": e6_text(p.price_e6),
        "gap": p.gap,
        "intervals": len(p.turns),
        "capital": e6_text(p.capital_e6),
        "capital_derived": p.is_capital_derived,
        "worst_notional": e6_text(p.worst_notional_e6),
        "loss_allowed": e6_text(p.loss_allowed_e6),
        "profit_per_turn": {"least": _turn(p.least_turn), "most": _turn(p.most_turn)},
        "transaction_cost_per_turn": optional_e6(p.transaction_cost_e6),
        "break_even_spacing": e6_text(p.break_even_ratio_e6),
        "at_lower": _inventory(p.at_lower),
        "at_upper": _inventory(p.at_upper),
        "entry": _entry(p),
        "funding_per_hour": None if p.paid_hour_e9 is None else e9_text(p.paid_hour_e9),
        "funding_source": previewed.funding.kind if previewed.funding else None,
        "funding_time": _funding_time(previewed),
        "stops": [_stop(line) for line in p.stops],
        "start_trigger": optional_e6(p.start_trigger_e6),
        "window": {"buys": p.window.buys, "sells": p.window.sells, "margin": e6_text(p.window.margin_e6)},
        "expectation": _expectation(p.expectation),
        "levels": levels(p),
        "market_spec": _spec(p),
        "note": previewed.note,
        "accepted": list(accepted),
        "refusals": [_refusal(r, accepted) for r in p.refusals],
    }
    not_accepted = open_refusals(p.refusals, accepted)
    if not_accepted:
        made["error"] = not_accepted[0].error().as_dict()
    return made


def text(previewed: Previewed, accepted: Sequence[str]) -> list[RenderableType]:
    """The preview for a person."""
    p = previewed.preview
    return [
        _headline(p),
        *([f"Note: {previewed.note}."] if previewed.note else []),
        "",
        facts(_money(p, previewed)),
        "",
        *_expected(p.expectation),
        "",
        table(_LEVEL_COLUMNS, _rows_shown(p)),
        *_verdict(p, accepted),
    ]


def levels(p: Preview) -> list[Document]:
    """The level table."""
    return [
        {
            "level": row.index,
            "price": e6_text(row.price_e6),
            "side": row.side,
            "cell": row.cell if row.side else None,
            "size": e9_text(row.size_e9),
            "live": row.is_live,
            "turn_profit": e6_text(row.turn_profit_e6) if row.side else None,
        }
        for row in p.levels
    ]


def percent(ratio_e6: int) -> str:
    """A ratio of 1e-6 as percent: 4000 is `0.4 %`."""
    return f"{decimal_text(ratio_e6, E4)} %"


def _turn(turn: Turn) -> Document:
    return {
        "cell": turn.cell,
        "size": e9_text(turn.size_e9),
        "profit": e6_text(turn.profit_e6),
        "ratio": e6_text(turn.profit_ratio_e6),
        "fees": e6_text(turn.fees_e6),
        "spacing": e6_text(turn.spacing_ratio_e6),
    }


def _inventory(held: Inventory) -> Document:
    return {
        "price": e6_text(held.price_e6),
        "base": e9_text(held.base_e9),
        "cost": e6_text(held.cost_e6),
        "average_entry": optional_e6(held.average_entry_e6),
        "loss": e6_text(held.loss_e6),
        "liquidation": optional_e6(held.liquidation_e6),
        "liquidation_method": _METHODS[held.method],
        "funding_day": optional_e6(held.funding_day_e6),
    }


def _entry(p: Preview) -> Document | None:
    if p.entry is None:
        return None
    return {
        "base": e9_text(p.entry.base_e9),
        "quote": e6_text(p.entry.quote_e6),
        "taker_fee": e6_text(p.entry.taker_fee_e6),
    }


def _stop(line: StopLine) -> Document:
    return {"kind": line.kind, "price": e6_text(line.price_e6), "total_pnl": optional_e6(line.total_e6)}


def _expectation(e: Expectation) -> Document:
    return {
        "formula": "K*sigma^2/(2R)*(1-c/s)",
        "cells_quote": e6_text(e.cells_quote_e6),
        "range_ratio": e6_text(e.range_ratio_e6),
        "spacing_ratio": e6_text(e.spacing_ratio_e6),
        "cost_ratio": e6_text(e.cost_ratio_e6),
        "suggested_spacing_ratio": e6_text(e.suggested_ratio_e6),
        "sigma_day": optional_e6(e.sigma_day_e6),
        "harvest_day": optional_e6(e.harvest_day_e6),
        "costs_day": optional_e6(e.costs_day_e6),
        "spread_ratio": e6_text(e.spread_ratio_e6),
        "renewals_day": optional_e6(e.renewals_day_e6),
        "total_pnl_day": optional_e6(e.total_day_e6),
    }


def _spec(p: Preview) -> Document:
    return {
        "venue": p.spec.venue,
        "tick": e6_text(p.spec.tick_e6),
        "step": e9_text(p.spec.step_e9),
        "minimum": e9_text(p.spec.minimum_e9),
        "margin_ratio_initial": decimal_text(p.spec.margin_ratio_initial_e4, E4),
        "margin_ratio_maintenance": decimal_text(p.spec.margin_ratio_maintenance_e4, E4),
        "maker_fee": decimal_text(p.spec.maker_fee_e5, 10**5),
        "taker_fee": decimal_text(p.spec.taker_fee_e5, 10**5),
    }


def _refusal(refusal: Refusal, accepted: Sequence[str]) -> Document:
    return {**refusal.error().as_dict(), "accepted": refusal.code in accepted}


def _headline(p: Preview) -> str:
    lowest, highest = p.levels[0], p.levels[-1]
    direction = "" if p.direction == "neutral" else f"{p.direction}, "
    return (
        f"{p.grid_id}: {direction}{len(p.turns)} intervals on {p.market}, {e6_text(lowest.price_e6)} to "
        f"{e6_text(highest.price_e6)}, price {e6_text(p.price_e6)}, account {p.account}"
    )


def _money(p: Preview, previewed: Previewed) -> list[tuple[str, str]]:
    least, most = p.least_turn, p.most_turn
    transaction = p.transaction_cost_e6
    return [
        ("capital", f"{e6_text(p.capital_e6)}{' (worst-case notional / leverage)' if p.is_capital_derived else ''}"),
        ("worst-case notional", e6_text(p.worst_notional_e6)),
        ("profit per turn", f"{_profit(least)} to {_profit(most)}, after fees"),
        ("transactions per turn", "not counted: give --sol-price" if transaction is None else e6_text(transaction)),
        ("break-even spacing", f"{percent(p.break_even_ratio_e6)} (yours: {_spacing_text(p)})"),
        *([("first position", _entry_text(p))] if p.entry is not None else []),
        ("at the lower end", _inventory_text(p.at_lower)),
        ("at the upper end", _inventory_text(p.at_upper)),
        ("funding", _funding_text(p, previewed)),
        ("live orders", f"{p.window.buys} buys, {p.window.sells} sells, margin {e6_text(p.window.margin_e6)}"),
        *([("starts at", e6_text(p.start_trigger_e6))] if p.start_trigger_e6 is not None else []),
        *[(line.kind, _stop_text(line)) for line in p.stops],
        ("stops itself at a loss of", _loss_text(p)),
    ]


def _entry_text(p: Preview) -> str:
    assert p.entry is not None
    verb = "buys" if p.entry.base_e9 > 0 else "sells"
    return (
        f"{verb} {e9_text(abs(p.entry.base_e9))} for {e6_text(p.entry.quote_e6)} at the price "
        f"(up to {e6_text(p.entry.taker_fee_e6)} in fees where it takes)"
    )


def _funding_time(previewed: Previewed) -> str | None:
    """When the venue set its rate."""
    source = previewed.funding
    return iso_utc(source.at_ns) if source is not None and source.at_ns is not None else None


def _funding_text(p: Preview, previewed: Previewed) -> str:
    if p.paid_hour_e9 is None:
        why = "no venue is asked" if previewed.note else "the venue has set no rate yet"
        return f"unknown, as {why}: give recorded rates with --funding FILE"
    set_at = _funding_time(previewed)
    whose = f"the venue's rate of {set_at}," if set_at else "the recorded mean,"
    ends = (("lower", p.at_lower), ("upper", p.at_upper))
    told = [f"{_received(held.funding_day_e6 or 0)} a day at the {name} end" for name, held in ends]
    return f"{', '.join(told)} ({whose} {e9_text(p.paid_hour_e9)} per hour; it changes)"


def _received(quote_e6: int) -> str:
    return f"pays {e6_text(-quote_e6)}" if quote_e6 < 0 else f"receives {e6_text(quote_e6)}"


def _stop_text(line: StopLine) -> str:
    if line.total_e6 is None:
        return e6_text(line.price_e6)
    return f"{e6_text(line.price_e6)}, total {e6_text(line.total_e6)} if the price goes straight there"


def _loss_text(p: Preview) -> str:
    if not p.loss_allowed_e6:
        return "any size: risk is off"
    # Turns made on the way would add to it; in a straight fall or rise there are none.
    ends = [name for name, held in (("lower", p.at_lower), ("upper", p.at_upper)) if held.loss_e6 >= p.loss_allowed_e6]
    warning = f", which a straight way to the {' or the '.join(ends)} end reaches" if ends else ""
    return f"{e6_text(p.loss_allowed_e6)}{warning}"


def _profit(turn: Turn) -> str:
    return f"{e6_text(turn.profit_e6)} ({percent(turn.profit_ratio_e6)})"


def _spacing_text(p: Preview) -> str:
    spacings = [turn.spacing_ratio_e6 for turn in p.turns]
    least, most = percent(min(spacings)), percent(max(spacings))
    return least if least == most else f"{least} to {most}"


def _inventory_text(held: Inventory) -> str:
    worth = f"worth {e6_text(held.loss_e6)} less" if held.loss_e6 >= 0 else f"worth {e6_text(-held.loss_e6)} more"
    if held.average_entry_e6 is None:
        return "holds nothing" if held.loss_e6 == 0 else f"holds nothing, {worth}"
    liquidated = "never" if held.liquidation_e6 is None else f"at {e6_text(held.liquidation_e6)}"
    how = (
        "closed form, nothing else in the account" if held.method == "closed form" else "search over the whole account"
    )
    return (
        f"{e9_text(held.base_e9)} at {e6_text(held.price_e6)}, average entry {e6_text(held.average_entry_e6)}, "
        f"{worth}; liquidated {liquidated} ({how})"
    )


def _expected(e: Expectation) -> list[str]:
    numbers = (
        f"  K = {e6_text(e.cells_quote_e6)}, R = {percent(e.range_ratio_e6)}, s = {percent(e.spacing_ratio_e6)}, "
        f"c = {percent(e.cost_ratio_e6)} per turn"
    )
    lines = [
        "Honest expectation: without a drift in the price, turns bring K*sigma^2/(2R)*(1-c/s) per unit of time, and",
        "the inventory loses on average what they bring: the expected total is minus the costs.",
        numbers,
    ]
    if e.harvest_day_e6 is not None and e.costs_day_e6 is not None and e.sigma_day_e6 is not None:
        lines.append(
            f"  with sigma = {percent(e.sigma_day_e6)} a day: turns bring {e6_text(e.harvest_day_e6)} a day, "
            f"expected total {e6_text(e.total_day_e6 or 0)} a day{_renewals_text(e)}"
        )
    if not e.is_spacing_wide_enough:
        lines.append(f"  Better: a spacing of {percent(e.suggested_ratio_e6)} or more, ten times the costs.")
    return lines


def _renewals_text(e: Expectation) -> str:
    return f" (renewing orders costs {e6_text(e.renewals_day_e6)} of it)" if e.renewals_day_e6 else ""


def _rows_shown(p: Preview) -> list[Document]:
    """The highest first; of a large grid only what lies near the gap, and both ends."""
    rows = [{**row, "side": row["side"] or "gap", "live": "live" if row["live"] else ""} for row in levels(p)]
    if len(rows) > _ROWS_SHOWN:
        half = _ROWS_SHOWN // 2
        near = [row for row in rows if abs(row["level"] - p.gap) < half]
        rows = [row for row in rows if row in near or row["level"] in (0, len(rows) - 1)]
    return rows[::-1]


def _verdict(p: Preview, accepted: Sequence[str]) -> list[str]:
    if not p.refusals:
        return ["Nothing speaks against it."]
    return [_sentence(r, accepted) for r in p.refusals]


def _sentence(refusal: Refusal, accepted: Sequence[str]) -> str:
    error = refusal.error()
    told = f"{refusal.code}: {error.meaning} It is {refusal.value}, expected {refusal.expected}."
    return f"Accepted {told}" if refusal.code in accepted else f"Refused {told} {error.do}"
