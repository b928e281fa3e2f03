"""A grid file with some settings changed is a grid file that says the rest as before."""

from __future__ import annotations

import tomllib

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.file_text import typed, with_settings
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.grid.settings import EXAMPLE


def test_what_is_not_changed_stays() -> None:
    text = with_settings(EXAMPLE, {})

    assert tomllib.loads(text) == tomllib.loads(EXAMPLE)
    assert parse_grid(text) == parse_grid(EXAMPLE)


def test_settings_are_changed_added_and_taken_out() -> None:
    text = with_settings(
        EXAMPLE, {"grid.id": "other", "grid.intervals": 50, "risk.enabled": False, "grid.leverage": None}
    )

    config = parse_grid(text)
    assert (config.grid_id, config.intervals, config.risk_enabled) == ("other", 50, False)
    assert "leverage" not in text


def test_lists_tables_and_strange_text_survive() -> None:
    source = 'grid = { id = "a\\"b\\\\c", levels = ["1", "2"], size = { quote = "25" }, "odd key" = 1979-05-27 }'

    assert tomllib.loads(with_settings(source, {})) == tomllib.loads(source)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("grid.upper", "190", "190"),
        ("grid.upper", '"190"', "190"),
        ("grid.intervals", "40", 40),
        ("risk.enabled", "false", False),
        ("grid.size", '{ quote = "25" }', {"quote": "25"}),
        ("grid.levels", '["1", "2"]', ["1", "2"]),
        ("grid.market", "ETH-PERP", "ETH-PERP"),
        ("orders.order_life", "4h", "4h"),
        ("grid.intervals", "many", "many"),
    ],
)
def test_text_means_what_the_setting_wants(path: str, text: str, value: object) -> None:
    assert typed(path, text) == value


def test_a_text_that_is_no_toml_is_refused() -> None:
    with pytest.raises(GridkeeperError, match="BAD_TOML"):
        with_settings("[grid", {})
