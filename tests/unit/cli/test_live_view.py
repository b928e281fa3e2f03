"""The live view: fits the screen, says what it does not know yet, and shows the ladder around the gap."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
from rich.console import Console

from gridkeeper_cli.live_data import FillLine, Place, ServiceLine, Snapshot
from gridkeeper_cli.live_view import UNKNOWN, line, money, rungs, screen
from gridkeeper_core.prices.price import Price
from gridkeeper_core.requests import AccountView, GridDetail
from support.command import START_NS
from support.command_answers import BOOKS, DETAIL, VIEW

NAMES = ("nats", "postgres", "sandbox", "notifier", "ledger", "execution", "strategy", "price_feed")
PLACE = Place(version="0.1.0", profile="demo", feeds={"SOL-PERP": "synthetic"}, data_dir=Path("/home/me/" + "d" * 90))
STARTING = Snapshot(place=PLACE, services=tuple(ServiceLine(name=n, state="starting", restarts=0) for n in NAMES))
ACCOUNT = AccountView(
    alias="main",
    phase="live",
    differs=False,
    halted="",
    open_orders=28,
    free_slots=0,
    in_flight="",
    deposit_e6=0,
    positions=(),
    grids=("sol",),
    lamports_spent=0,
)
FILL = FillLine(ts_ns=START_NS, grid_id="sol", side="sell", price_e6=110_000_000, base_e9=10**8)
PRICE = Price(market="SOL-PERP", source="test", source_seq=1, ts_ns=START_NS, oracle_e6=100_500_000)
RUNNING = msgspec.structs.replace(
    STARTING,
    services=tuple(ServiceLine(name=n, state="running", restarts=0) for n in NAMES),
    price=PRICE,
    grids=(VIEW,),
    detail=DETAIL,
    books=BOOKS,
    account=ACCOUNT,
    fills=(FILL,) * 6,
)


def many_levels(gap: int) -> GridDetail:
    levels = tuple(100_000_000 + 1_000_000 * number for number in range(1000))
    view = msgspec.structs.replace(VIEW, gap=gap)
    return msgspec.structs.replace(DETAIL, view=view, levels_e6=levels, held_e9=(0,) * 999)


def drawn(seen: Snapshot) -> list[str]:
    console = Console(width=80, height=30, file=io.StringIO(), force_terminal=False, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(screen(seen))
    return captured.get().splitlines()


def test_the_screen_fits_80_columns_and_30_lines() -> None:
    trouble = ServiceLine(name="execution", state="waiting", restarts=12, unready="exit code 1: " + "long " * 80)
    seen = msgspec.structs.replace(RUNNING, detail=many_levels(500), services=(*RUNNING.services, trouble))

    lines = drawn(seen)

    assert max(map(len, lines)) <= 80
    assert len(lines) < 30


def test_what_is_not_known_yet_is_shown_as_such() -> None:
    lines = drawn(STARTING)

    assert any(text.startswith("Price") and UNKNOWN in text for text in lines)
    assert any(text.startswith("Total PnL") and UNKNOWN in text for text in lines)


def test_the_screen_shows_price_position_orders_money_and_fills() -> None:
    text = " ".join(" ".join(drawn(RUNNING)).split())

    for part in ("100.5", "sol open", "1 of 3", "+10.00", "-1.48", "3, 1", "main live", "sell 0.1 110"):
        assert part in text, part


def test_a_ladder_row_shows_its_order_and_the_gap_is_named() -> None:
    rows = drawn(RUNNING)

    assert any(row.split()[:5] == ["0", "90", "buy", "1", "live"] for row in rows)
    assert any(row.split()[:3] == ["1", "100", "gap"] for row in rows)


def test_the_ladder_lies_around_the_gap_and_stays_inside_the_grid() -> None:
    assert rungs(many_levels(500)) == list(range(505, 494, -1))
    assert rungs(many_levels(0)) == list(range(10, -1, -1))
    assert rungs(many_levels(999)) == list(range(999, 988, -1))
    assert rungs(DETAIL) == [3, 2, 1, 0]


def test_the_line_names_who_is_not_ready() -> None:
    silent = ServiceLine(name="ledger", state="running", restarts=1, unready="EV cannot be read")
    seen = msgspec.structs.replace(RUNNING, services=(*RUNNING.services[:4], silent), books=None)

    assert "not ready: ledger" in line(seen)
    assert f"total {UNKNOWN}" in line(seen)
    assert "all services ready" in line(RUNNING)


def test_money_is_rounded_to_the_cent_and_signed() -> None:
    assert [money(value) for value in (0, 4_999, -4_999, 5_000, -1_475_000, 1_234_567_890)] == [
        "+0.00",
        "+0.00",
        "+0.00",
        "+0.01",
        "-1.48",
        "+1,234.57",
    ]
