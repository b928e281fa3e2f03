"""Turns the text of a grid file into a grid's settings, or says which setting is wrong and what it should be."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.levels import LEVELS_MAX, LEVELS_MIN
from gridkeeper_core.grid.range_settings import check_range
from gridkeeper_core.grid.settings import BASE_MAX, DERIVED, OPEN_ORDERS_MAX, QUOTE_MAX, REQUIRED, SETTINGS, Setting
from gridkeeper_core.grid.stop_settings import check_stops, stops_window
from gridkeeper_core.names import MARKET_PATTERN, check_id
from gridkeeper_core.units import E4, E6, E9, e6_text, parse_duration_ns, parse_scaled

TEXT_MAX = 200_000
_AMOUNT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_DURATION_MAX = 20
_SCALES = {"price": E6, "quote": E6, "ratio": E4, "sol": E9}
_PATHS = {setting.path: setting for setting in SETTINGS}
_TABLES = tuple(dict.fromkeys(path.partition(".")[0] for path in _PATHS))
_REPLACED_BY_LEVELS = ("grid.lower", "grid.upper", "grid.intervals")

Given = dict[str, Any]
"""Setting path -> value as TOML has it."""


def parse_grid(text: str) -> GridConfig:
    """The settings in the text of a grid file; what is left out has its default.

    Raises GridkeeperError BAD_TOML, UNKNOWN_KEY, MISSING_KEY, BAD_NUMBER, BAD_DURATION, BAD_ID, BAD_VALUE,
    LOWER_NOT_BELOW_UPPER, LEVELS_TOO_FEW, LEVELS_TOO_MANY, LEVELS_NOT_ASCENDING, SIZE_NOT_POSITIVE,
    LEVERAGE_NOT_POSITIVE, WINDOW_TOO_LARGE, STOP_INSIDE_RANGE, CANNOT_FOLLOW.
    """
    given = _given(_document(text))
    fields = {s.field: _value(s, given) for s in SETTINGS if s.kind != "size" and not _is_replaced(s, given)}
    fields |= _size(given)
    if fields["custom_levels_e6"]:
        _take_levels(fields, given)
    fields |= stops_window(GridConfig(**fields), given)
    config = GridConfig(**fields)
    _check_together(config)
    return config


def parse_amount(text: str, scale: int, field: str) -> int:
    """Plain decimal text (no exponent, no separators) as an integer of 1/scale. Raises GridkeeperError BAD_NUMBER."""
    if not _AMOUNT.fullmatch(text.strip()):
        raise GridkeeperError("BAD_NUMBER", field=field, value=_as_text(text), expected="a decimal number as text")
    return parse_scaled(text, scale, field)


def _document(text: str) -> dict[str, Any]:
    if len(text) > TEXT_MAX:
        raise GridkeeperError("BAD_TOML", value=f"{len(text)} characters", expected=f"at most {TEXT_MAX}")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as e:  # ValueError: also an integer of thousands of digits
        raise GridkeeperError("BAD_TOML", detail=f"The file is not valid TOML: {e}") from e


def _given(document: Mapping[str, Any]) -> Given:
    given: Given = {}
    for table, content in document.items():
        if table not in _TABLES:
            raise _unknown(table, _TABLES)
        if not isinstance(content, dict):
            raise GridkeeperError("BAD_VALUE", field=table, value=_as_text(content), expected=f"a table [{table}]")
        known = [path for path in _PATHS if path.startswith(f"{table}.")]
        for name, value in content.items():
            if f"{table}.{name}" not in _PATHS:
                raise _unknown(f"{table}.{name}", known)
            given[f"{table}.{name}"] = value
    return given


def _unknown(path: str, known: list[str] | tuple[str, ...]) -> GridkeeperError:
    by_name = {p.rpartition(".")[2]: p for p in known}
    # A setting in the wrong table is as common a slip as a wrong letter.
    by_name_anywhere = {p.rpartition(".")[2]: p for p in _PATHS} | {table: f"[{table}]" for table in _TABLES}
    name = path.rpartition(".")[2]
    near = [by_name[n] for n in get_close_matches(name, by_name, n=1)] or [
        by_name_anywhere[n] for n in get_close_matches(name, by_name_anywhere, n=1)
    ]
    return GridkeeperError("UNKNOWN_KEY", field=path, expected=near[0] if near else "one of " + ", ".join(known))


def _is_replaced(setting: Setting, given: Given) -> bool:
    """Whether `levels` says what this setting would."""
    return "grid.levels" in given and setting.path in _REPLACED_BY_LEVELS and setting.path not in given


def _value(setting: Setting, given: Given) -> Any:
    if setting.path in given:
        return _READERS[setting.kind](setting, given[setting.path])
    if setting.default is REQUIRED:
        raise _missing(setting.path)
    if setting.default == DERIVED:
        return () if setting.kind == "prices" else None
    return _READERS[setting.kind](setting, _as_toml(setting, setting.default))


def _as_toml(setting: Setting, default: str) -> Any:
    match setting.kind:
        case "count":
            return int(default)
        case "flag":
            return default == "true"
        case _:
            return default


# ---------------------------------------------------------------- one reader per kind


def _read_id(setting: Setting, value: Any) -> str:
    return check_id(_text(setting, value, "text such as sol-range"), setting.path)


def _read_market(setting: Setting, value: Any) -> str:
    text = _text(setting, value, "text such as SOL-PERP")
    if not MARKET_PATTERN.fullmatch(text):
        raise GridkeeperError("BAD_VALUE", field=setting.path, value=text, expected="a market such as SOL-PERP")
    return text


def _read_choice(setting: Setting, value: Any) -> str:
    if value not in setting.choices:
        near = get_close_matches(str(value), setting.choices, n=1)
        raise GridkeeperError(
            "BAD_VALUE",
            field=setting.path,
            value=_as_text(value),
            expected=setting.range_text,
            do=f'Did you mean "{near[0]}"?' if near else "",
        )
    return str(value)


def _read_amount(setting: Setting, value: Any) -> int:
    return _amount(setting, value, _SCALES[setting.kind], setting.path, setting.most)


def _read_prices(setting: Setting, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise GridkeeperError(
            "BAD_VALUE", field=setting.path, value=_as_text(value), expected='a list such as ["120", "125"]'
        )
    if len(value) < LEVELS_MIN:
        raise GridkeeperError("LEVELS_TOO_FEW", field=setting.path, value=len(value), do="Give 2 levels or more.")
    if len(value) > LEVELS_MAX:
        raise GridkeeperError("LEVELS_TOO_MANY", field=setting.path, value=len(value), do="Give 1000 levels or fewer.")
    prices = tuple(_amount(setting, v, E6, f"{setting.path}[{i}]", setting.most) for i, v in enumerate(value))
    for index, (below, above) in enumerate(pairwise(prices), start=1):
        if above <= below:
            raise GridkeeperError(
                "LEVELS_NOT_ASCENDING",
                field=f"{setting.path}[{index}]",
                value=e6_text(above),
                expected=f"more than {e6_text(below)}",
            )
    return prices


def _read_count(setting: Setting, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise GridkeeperError(
            "BAD_NUMBER",
            field=setting.path,
            value=_as_text(value),
            expected="a whole number without quotes",
            do=f"Write it as {setting.path.rpartition('.')[2]} = {setting.default or 100}.",
        )
    if not int(setting.least) <= value <= int(setting.most):
        code = setting.code
        if setting.field == "intervals":
            code = "LEVELS_TOO_FEW" if value < int(setting.least) else "LEVELS_TOO_MANY"
        elif setting.field == "live_orders" and value > OPEN_ORDERS_MAX:
            code = "WINDOW_TOO_LARGE"
        raise GridkeeperError(code, field=setting.path, value=_as_text(value), expected=setting.range_text)
    return value


def _read_duration(setting: Setting, value: Any) -> int:
    text = value if isinstance(value, str) and len(value) <= _DURATION_MAX else None
    if text is None:
        raise GridkeeperError(
            "BAD_DURATION", field=setting.path, value=_as_text(value), expected='text such as "5s" or "4h"'
        )
    duration_ns = parse_duration_ns(text, setting.path)
    least_ns, most_ns = (parse_duration_ns(edge, setting.path) for edge in (setting.least, setting.most))
    if not least_ns <= duration_ns <= most_ns:
        raise GridkeeperError("BAD_VALUE", field=setting.path, value=text, expected=setting.range_text)
    return duration_ns


def _read_flag(setting: Setting, value: Any) -> bool:
    if not isinstance(value, bool):
        raise GridkeeperError("BAD_VALUE", field=setting.path, value=_as_text(value), expected="true or false")
    return value


_READERS: dict[str, Callable[[Setting, Any], Any]] = {
    "id": _read_id,
    "market": _read_market,
    "choice": _read_choice,
    "price": _read_amount,
    "quote": _read_amount,
    "ratio": _read_amount,
    "sol": _read_amount,
    "prices": _read_prices,
    "count": _read_count,
    "duration": _read_duration,
    "flag": _read_flag,
}


def _amount(setting: Setting, value: Any, scale: int, field: str, most: str) -> int:
    """Decimal text above zero and at most `most`, as an integer of 1/scale."""
    if not isinstance(value, str):
        why = "a TOML float is not exact" if isinstance(value, float) else "an amount is text"
        shown = _as_text(value)
        raise GridkeeperError(
            "BAD_NUMBER",
            field=field,
            value=shown,
            expected=f"decimal text in quotes ({why})",
            do=f'Write it as "{shown}".' if _AMOUNT.fullmatch(shown) else "",
        )
    amount = parse_amount(value, scale, field)
    if amount < 0 or (amount == 0 and setting.above_zero):
        expected = "above 0" if setting.above_zero else "at least 0"
        raise GridkeeperError(setting.code, field=field, value=value, expected=expected)
    if amount > parse_amount(most, scale, field):
        code = "LEVERAGE_TOO_HIGH" if setting.field == "leverage_e4" else "BAD_VALUE"
        raise GridkeeperError(code, field=field, value=value, expected=f"at most {most}")
    return amount


def _text(setting: Setting, value: Any, expected: str) -> str:
    if not isinstance(value, str):
        raise GridkeeperError("BAD_VALUE", field=setting.path, value=_as_text(value), expected=expected)
    return value


def _as_text(value: Any) -> str:
    """A TOML value as the user wrote it, or nearly so, and never longer than a line."""
    try:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or lists in lists in lists
        return "a value too long to show"
    return text if len(text) <= 80 else f"{text[:77]}..."


# ---------------------------------------------------------------- settings that belong together


def _size(given: Given) -> dict[str, int]:
    setting = _PATHS["grid.size"]
    if setting.path not in given:
        raise _missing(setting.path)
    value = given[setting.path]
    expected = 'exactly one of { base = "0.1" } and { quote = "25" }'
    if not isinstance(value, dict):
        raise GridkeeperError("BAD_VALUE", field=setting.path, value=_as_text(value), expected=expected)
    for name in value:
        if name not in ("base", "quote"):
            raise GridkeeperError("UNKNOWN_KEY", field=f"{setting.path}.{name}", expected=expected)
    if len(value) != 1:
        raise GridkeeperError(
            "BAD_VALUE" if value else "MISSING_KEY", field=setting.path, value=", ".join(value), expected=expected
        )
    if "base" in value:
        return {"size_base_e9": _amount(setting, value["base"], E9, f"{setting.path}.base", BASE_MAX)}
    return {"size_quote_e6": _amount(setting, value["quote"], E6, f"{setting.path}.quote", QUOTE_MAX)}


def _take_levels(fields: dict[str, Any], given: Given) -> None:
    """Levels by hand say the range and the intervals; where these are given as well they must agree."""
    if "grid.spacing" in given:
        raise GridkeeperError(
            "BAD_VALUE", field="grid.spacing", value=given["grid.spacing"], expected="either spacing or levels"
        )
    levels = fields["custom_levels_e6"]
    told = {"lower_e6": levels[0], "upper_e6": levels[-1], "intervals": len(levels) - 1}
    for path, (field, value) in zip(_REPLACED_BY_LEVELS, told.items(), strict=True):
        if fields.setdefault(field, value) != value:
            expected = str(value) if field == "intervals" else e6_text(value)
            raise GridkeeperError(
                "BAD_VALUE", field=path, value=_as_text(given[path]), expected=f"{expected}, as grid.levels says"
            )
    fields["spacing"] = "custom"


def _check_together(config: GridConfig) -> None:
    if config.lower_e6 >= config.upper_e6:
        raise GridkeeperError(
            "LOWER_NOT_BELOW_UPPER",
            field="grid.lower",
            value=e6_text(config.lower_e6),
            expected=f"below {e6_text(config.upper_e6)} (grid.upper)",
        )
    if config.live_orders + config.reserve > OPEN_ORDERS_MAX:
        raise GridkeeperError(
            "WINDOW_TOO_LARGE",
            field="window.live_orders",
            value=f"{config.live_orders} + {config.reserve} in reserve",
            expected=f"together at most {OPEN_ORDERS_MAX}",
        )
    check_stops(config)
    check_range(config)


def _missing(path: str) -> GridkeeperError:
    unit = _PATHS[path].unit
    return GridkeeperError("MISSING_KEY", field=path, expected=unit and f"a value ({unit})")
