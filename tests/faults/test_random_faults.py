"""The real adapters on an in-memory chain with seeded faults, alone and combined: at the end books equal the venue.

`GRIDKEEPER_FAULT_RUNS` is the number of seeds (500 before a release); a seed that fails can be run by itself.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from support.fault_run import FAULTS, run

RUNS = int(os.environ.get("GRIDKEEPER_FAULT_RUNS", "24"))


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Thousands of expected warnings tell nothing."""
    logging.getLogger("memory").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("seed", range(max(RUNS, len(FAULTS))))
def test_after_faults_stop_books_equal_the_venue_and_the_window_is_live(tmp_path: Path, seed: int) -> None:
    assert run(tmp_path, seed) == []


@pytest.mark.parametrize("seed", range(1000, 1000 + max(8, RUNS // 4)))
def test_the_same_holds_when_the_process_dies_again_and_again_meanwhile(tmp_path: Path, seed: int) -> None:
    assert run(tmp_path, seed, crashes=True) == []
