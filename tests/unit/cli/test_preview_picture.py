"""The picture of a preview: written as PNG and SVG, the same each time, with labels that never overlap."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_cli.preview_picture import marks, spread_out
from gridkeeper_core.grid.preview import preview
from gridkeeper_core.units import E6
from support.command import GRID_TEXT, document, run
from support.story import SPEC, config


def drawn(tmp_path: Path, name: str, text: str = GRID_TEXT) -> bytes:
    grid, path = tmp_path / "grid.toml", tmp_path / name
    grid.write_text(text)
    result = run("preview", str(grid), "--price", "100", "--plot", str(path), data_dir=tmp_path)
    assert result.exit_code == 0, result.output
    return path.read_bytes()


def test_a_png_is_a_picture(tmp_path: Path) -> None:
    assert drawn(tmp_path, "grid.png").startswith(b"\x89PNG")


def test_an_svg_names_what_matters_and_is_the_same_each_time(tmp_path: Path) -> None:
    text = GRID_TEXT + '[stops]\nlow = "80"\nhigh = "130"\n[window]\nlive_orders = 27\nreserve = 5\n'

    first, second = drawn(tmp_path, "one.svg", text).decode(), drawn(tmp_path, "two.svg", text).decode()

    assert first == second
    for words in ("price 100", "stop-low 80", "stop-high 130", "short liquidated 146.03", "full short breaks even 115"):
        assert words in first


@pytest.mark.parametrize("intervals", [1, 999])
def test_two_levels_and_a_thousand_can_be_drawn(tmp_path: Path, intervals: int) -> None:
    text = GRID_TEXT.replace("intervals = 3", f"intervals = {intervals}")

    assert drawn(tmp_path, "grid.png", text).startswith(b"\x89PNG")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(GRID_TEXT)

    result = run("preview", str(grid), "--price", "100", "--plot", str(tmp_path / "grid.gif"), "--json")

    assert (result.exit_code, document(result)["error"]["field"]) == (1, "--plot")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(GRID_TEXT)

    result = run("preview", str(grid), "--price", "100", "--plot", str(tmp_path / "no" / "grid.png"), "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "BAD_FILE")


def test_marks_are_named_from_the_highest_down() -> None:
    of = preview(config(stop_low_e6=90 * E6), SPEC, 105 * E6)

    prices = [mark.price_e6 for mark in marks(of)]

    assert prices == sorted(prices, reverse=True)
    assert {"price", "stop-low", "long liquidated"} <= {mark.name for mark in marks(of)}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_labels_keep_apart_and_inside(places: list[float]) -> None:
    found = spread_out(sorted(places, reverse=True), 0.05, 0.0, 1.0)

    assert all(above - below >= 0.05 - 1e-9 for above, below in itertools.pairwise(found))
    assert min(found) >= -1e-9
    assert max(found) <= 1 + 1e-9
