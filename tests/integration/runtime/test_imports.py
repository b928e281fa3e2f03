"""A service loads no library it has no use for: each start of a process, and its memory, would pay for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

UNUSED = {
    "strategy": {"aiohttp", "httpx", "driftpy", "click", "rich"},
    "execution": {"aiohttp", "click", "rich"},
    "ledger": {"aiohttp", "httpx", "driftpy", "click", "rich"},
    "notifier": {"aiohttp", "httpx", "driftpy", "click", "rich", "apprise"},
    "price_feed": {"aiohttp", "httpx", "driftpy", "click", "rich"},
    "sandbox": {"httpx", "driftpy.types", "click", "rich"},
}
"""Of the notifier and the price-feed: before a channel or a source is chosen that needs one of them."""


@pytest.mark.parametrize("service", UNUSED)
def test_a_service_loads_no_library_it_has_no_use_for(service: str) -> None:
    program = f"import sys, gridkeeper_{service}.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert UNUSED[service].isdisjoint(loaded)


@pytest.mark.parametrize(
    ("library", "user"), [("aiohttp", "gridkeeper_bus.connection"), ("click", "gridkeeper_drift.http")]
)
def test_what_is_kept_out_of_a_library_is_there_for_others(library: str, user: str) -> None:
    """Whether it was loaded before or comes after."""
    for first, second in ((library, user), (user, library)):
        program = f"import sys, {first}, {second}; assert sys.modules[{library!r}] is not None"
        subprocess.run([sys.executable, "-c", program], check=True)
