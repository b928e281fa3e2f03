"""Recorded funding rates: layouts, and rows that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_lab.funding_file import Payment, read_funding


def test_the_heading_may_name_the_interval(tmp_path: Path) -> None:
    file = tmp_path / "funding.csv"
    file.write_text("ts_ms,funding_rate_per_8h,interval_h\n1000,8.373e-05,8\n2000,-0.0002,8\n")

    assert read_funding([file]) == [Payment(10**9, 83_730_000), Payment(2 * 10**9, -200_000_000)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("time,rate\n1,2\n", "row 1"),
        ("ts_ms,funding_rate\nx,0.1\n", "row 2, ts_ms"),
        ("ts_ms,funding_rate\n1,0.0001\n1,0.0001\n", "row 3, ts_ms"),
        ("ts_ms,funding_rate\n1,much\n", "row 2, funding_rate"),
        ("ts_ms,funding_rate\n1,0.5\n", "row 2, funding_rate"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "funding.csv"
    file.write_text(text)

    with pytest.raises(GridkeeperError) as refused:
        read_funding([file])

    assert (refused.value.code, refused.value.field) == ("BAD_DATA", f"{file}, {place}")
