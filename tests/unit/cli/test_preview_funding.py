"""Funding per day in a preview, and where its rate is said to be from. At 90 the grid holds 1 SOL, at 120 two less."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_core.requests import FundingView
from support.command import GRID_TEXT, System, document, run

RATE = FundingView(market="SOL-PERP", paid_hour_e9=10_000, at_ns=1_700_000_000 * 10**9)


@pytest.mark.servers
async def test_a_running_venue_is_asked_for_its_rate_and_named_with_its_time(system: System, grid_file: Path) -> None:
    system.services.funding = [RATE]

    told = await system.ask("preview", str(grid_file))
    shown = (await system.run("preview", str(grid_file))).stdout

    assert (told["funding_per_hour"], told["funding_source"]) == ("0.00001", "venue")
    assert told["funding_time"] == "2023-11-14T22:13:20.000000Z"
    # 24 hours at 0.00001 of 90 paid by 1 SOL long; of 120 received by 2 SOL short.
    assert (told["at_lower"]["funding_day"], told["at_upper"]["funding_day"]) == ("-0.0216", "0.0576")
    assert "pays 0.0216 a day at the lower end" in " ".join(shown.split())
    assert "the venue's rate of 2023-11-14T22:13:20.000000Z" in " ".join(shown.split())


@pytest.mark.servers
async def test_what_is_given_by_hand_goes_before_what_the_venue_says(
    system: System, grid_file: Path, tmp_path: Path
) -> None:
    system.services.funding = [RATE]
    recorded = tmp_path / "funding.csv"
    recorded.write_text("ts_ms,funding_rate\n0,0.0001\n3600000,0.00002\n7200000,0.00004\n")

    told = await system.ask("preview", str(grid_file), "--funding", str(recorded))

    assert (told["funding_per_hour"], told["funding_source"], told["funding_time"]) == ("0.00003", "recorded", None)


@pytest.mark.servers
async def test_a_venue_without_a_rate_is_told_as_such(system: System, grid_file: Path) -> None:
    told = await system.ask("preview", str(grid_file))
    shown = (await system.run("preview", str(grid_file))).stdout

    assert (told["funding_per_hour"], told["funding_source"]) == (None, None)
    assert "unknown, as the venue has set no rate yet" in " ".join(shown.split())


def test_without_a_running_gridkeeper_the_rate_is_unknown_and_why_is_said(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(GRID_TEXT)

    told = document(run("preview", str(path), "--price", "100", "--json", data_dir=tmp_path))
    shown = run("preview", str(path), "--price", "100", data_dir=tmp_path).stdout

    assert (told["funding_per_hour"], told["funding_source"], told["funding_time"]) == (None, None, None)
    assert "unknown, as no venue is asked: give recorded rates with --funding FILE" in " ".join(shown.split())
