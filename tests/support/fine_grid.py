"""A grid so fine that the demo's market fills it within seconds, in a data directory that `up` will start from."""

from __future__ import annotations

from pathlib import Path

from gridkeeper_core.venue.records import VenueAccount
from support.order_log import OrderLog
from support.whole_system import WholeSystem

SAID = ("--yes", "--author", "ann", "--reason", "a test")
_GRID = """
[grid]
id = "example"
market = "SOL-PERP"
lower = "145"
upper = "155"
intervals = {intervals}
spacing = "arithmetic"
size = {{ base = "0.1" }}
leverage = "3"

[window]
live_orders = {live_orders}
"""


def fine_grid_in(data_dir: Path, *, intervals: int = 100, live_orders: int) -> Path:
    """The data directory, made anew, in which the grid stands for the demo's own."""
    (data_dir / "grids").mkdir(parents=True, mode=0o700)
    data_dir.chmod(0o700)
    (data_dir / "grids" / "example.toml").write_text(_GRID.format(intervals=intervals, live_orders=live_orders))
    return data_dir


def pause(system: WholeSystem) -> None:
    """Pause the grid and wait until it has no order left."""
    code, answer = system.command("grid", "pause", "example", *SAID)
    assert code == 0, answer
    system.until(lambda: _is_at_rest(system), within_s=30)


def assert_no_fill_is_lost(system: WholeSystem, log: OrderLog) -> VenueAccount:
    """A paused grid, its account and the log of its orders say the same as the venue, which is given."""
    account, venue = system.reconcile(), system.venue_account()
    assert (account.phase, account.differs, account.open_orders) == ("live", False, 0)
    ours, theirs = account.positions[0], venue.positions[0]
    assert (ours.base_e9, ours.quote_asset_e6) == (theirs.base_e9, theirs.quote_asset_e6)
    assert (ours.quote_entry_e6, ours.quote_break_even_e6) == (theirs.quote_entry_e6, theirs.quote_break_even_e6)
    assert account.deposit_e6 == venue.deposit_e6
    assert venue.orders == ()
    assert log.position_e9 == theirs.base_e9
    assert system.grid("example").view.position_e9 == theirs.base_e9
    return venue


def _is_at_rest(system: WholeSystem) -> bool:
    account = system.account()
    return not account.in_flight and not account.open_orders and not system.grid("example").orders
