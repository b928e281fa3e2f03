"""Turns decimal text into integers of the chain's own precision and back, and divides with a named rounding.

Units: price 1e-6 quote per base (`_e6`), base 1e-9 (`_e9`), quote 1e-6 (`_e6`), ratios 1e-4 (`_e4`), lamports.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException

from gridkeeper_core.errors import GridkeeperError

E4 = 10**4
E6 = 10**6
E9 = 10**9
NS_PER_MS = 10**6
NS_PER_S = 10**9
BPS = 10**4

_EXACT = Context(prec=60)
# Decimal() itself would take underscores and digits of other scripts; 40 characters are far beyond any amount.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_TEXT_MAX = 40
_DURATION_NS = {"ms": NS_PER_MS, "s": NS_PER_S, "m": 60 * NS_PER_S, "h": 3600 * NS_PER_S, "d": 86_400 * NS_PER_S}


def parse_scaled(text: str, scale: int, field: str) -> int:
    """Decimal text as an integer of 1/scale; refuses anything that is not exact at that precision.

    Raises GridkeeperError BAD_NUMBER.
    """
    exact = _EXACT.multiply(_decimal(text, field), Decimal(scale))
    whole = int(exact)
    if exact != whole:
        raise _bad_number(field, text, f"at most {len(str(scale)) - 1} decimal places")
    return whole


def round_scaled(text: str, scale: int, step: int, field: str) -> int:
    """Decimal text as an integer of 1/scale, rounded half-even to a multiple of `step` (for recorded data)."""
    try:
        steps = _EXACT.divide(_EXACT.multiply(_decimal(text, field), Decimal(scale)), Decimal(step))
        return int(steps.to_integral_value(rounding=ROUND_HALF_EVEN, context=_EXACT)) * step
    except DecimalException as e:
        raise _bad_number(field, text, "an amount of sensible size") from e


def decimal_text(value: int, scale: int) -> str:
    """The shortest decimal text of value/scale: `1500000` at 1e6 is `1.5`."""
    digits = len(str(scale)) - 1
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), scale)
    if part == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{str(part).zfill(digits).rstrip('0')}"


def e6_text(value_e6: int) -> str:
    """A price or quote amount (1e-6) as decimal text."""
    return decimal_text(value_e6, E6)


def e9_text(value_e9: int) -> str:
    """A base amount (1e-9) as decimal text."""
    return decimal_text(value_e9, E9)


def parse_duration_ns(text: str, field: str) -> int:
    """A duration such as `5s`, `4h`, `250ms` or `0` in nanoseconds. Raises GridkeeperError BAD_DURATION."""
    stripped = text.strip()
    if stripped == "0":
        return 0
    for suffix in ("ms", "s", "m", "h", "d"):
        number = stripped.removesuffix(suffix)
        if number != stripped and number.isascii() and number.isdigit():
            return int(number) * _DURATION_NS[suffix]
    raise GridkeeperError(
        "BAD_DURATION",
        field=field,
        value=text,
        expected="a whole number with ms, s, m, h or d, such as 5s or 4h, or 0",
    )


def duration_text(duration_ns: int) -> str:
    """The shortest text that `parse_duration_ns` reads back as the same duration (whole milliseconds)."""
    if duration_ns == 0:
        return "0"
    for suffix in ("d", "h", "m", "s", "ms"):
        if duration_ns % _DURATION_NS[suffix] == 0:
            return f"{duration_ns // _DURATION_NS[suffix]}{suffix}"
    return f"{duration_ns // NS_PER_MS}ms"


def quote_floor_e6(price_e6: int, base_e9: int) -> int:
    """price x base in quote 1e-6, rounded down (both arguments not negative)."""
    return price_e6 * base_e9 // E9


def quote_ceil_e6(price_e6: int, base_e9: int) -> int:
    """price x base in quote 1e-6, rounded up, so that a reservation never falls short."""
    return div_ceil(price_e6 * base_e9, E9)


def div_ceil(numerator: int, denominator: int) -> int:
    """Division rounded towards plus infinity (positive denominator)."""
    return -(-numerator // denominator)


def div_trunc(numerator: int, denominator: int) -> int:
    """Division rounded towards zero, as the chain's programs divide signed integers."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def _decimal(text: str, field: str) -> Decimal:
    stripped = text.strip() if isinstance(text, str) else ""
    if len(stripped) > _TEXT_MAX or not _DECIMAL.fullmatch(stripped):
        raise _bad_number(field, text, "a decimal number as text")
    return Decimal(stripped)


def _bad_number(field: str, value: object, expected: str) -> GridkeeperError:
    return GridkeeperError("BAD_NUMBER", field=field, value=str(value), expected=expected)
