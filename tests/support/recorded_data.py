"""Where recorded data lies: tests that need it are skipped with a clear reason where it is absent, and fail in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "GRIDKEEPER_TEST_DATA"


def recorded_folder() -> Path:
    """The folder with recorded data; without one the test is skipped, in CI it fails."""
    folder = os.environ.get(VARIABLE)
    if folder:
        return Path(folder)
    if os.environ.get("CI"):
        pytest.fail(f"{VARIABLE} is not set")
    pytest.skip(f"{VARIABLE} names no folder with recorded data")
