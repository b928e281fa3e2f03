"""Whatever a file holds, it is read or refused by name; and what was written is what is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.errors import CATALOGUE, GridkeeperError
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.units import e6_text, e9_text

prices = st.integers(1, 10**15)
values = st.sampled_from(
    ['"120"', "120", "1.5", "nan", "true", "[]", '["1"]', "{}", '{ base = "1" }', '""', '"x"', "1979-05-27", "-7"]
)
paths = st.sampled_from(
    ["id", "market", "lower", "upper", "intervals", "size", "levels", "leverage", "capital", "lowr"]
)


@given(st.tuples(prices, prices), st.integers(1, 999), st.integers(1, 10**18))
def test_what_was_written_is_what_is_read(range_e6: tuple[int, int], intervals: int, size_e9: int) -> None:
    lower, upper = sorted(range_e6)
    upper += lower == upper
    if upper > 10**15:
        lower, upper = lower - 1, upper - 1
    text = (
        f'[grid]\nid = "a"\nmarket = "SOL-PERP"\nlower = "{e6_text(lower)}"\nupper = "{e6_text(upper)}"\n'
        f'intervals = {intervals}\nsize = {{ base = "{e9_text(size_e9)}" }}\n'
    )

    config = parse_grid(text)

    assert (config.lower_e6, config.upper_e6) == (lower, upper)
    assert (config.intervals, config.size_base_e9) == (intervals, size_e9)


@given(st.dictionaries(paths, values))
def test_any_values_are_read_or_refused_by_name(content: dict[str, str]) -> None:
    text = "[grid]\n" + "".join(f"{name} = {value}\n" for name, value in content.items())

    assert _refusal_is_sound(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert _refusal_is_sound(text)


def _refusal_is_sound(text: str) -> bool:
    """Whether the text is read, or refused with a code of the catalogue that names a setting."""
    try:
        parse_grid(text)
    except GridkeeperError as refused:
        return refused.code in CATALOGUE and (refused.code == "BAD_TOML" or bool(refused.field))
    return True
