"""Pausing, resuming, stopping and halting: the command tells the service, waits, and says what became of it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from gridkeeper_core.events import GridStopped
from gridkeeper_core.inputs import HaltAccount, PauseGrid, ResumeGrid, StopGrid
from gridkeeper_core.requests import CommandRequest
from support.command import ACCOUNT, System
from support.command_answers import BOOKS, DETAIL, VIEW

pytestmark = pytest.mark.servers


async def test_a_pause_waits_until_the_orders_are_gone(with_grid: System) -> None:
    async def cancel_soon(subject: str, asked: CommandRequest) -> None:
        without = msgspec.structs.replace(
            DETAIL, orders=(), view=msgspec.structs.replace(VIEW, live_orders=0, reasons=("PAUSED",))
        )
        asyncio.get_running_loop().call_later(0.2, lambda: with_grid.services.grids.update(sol=without))

    with_grid.services.reaction = cancel_soon

    told = (await with_grid.ask("grid", "pause", "sol", "--reason", "news", "--key", "k"))["grid"]

    assert told == {"id": "sol", "state": "open", "reasons": ["PAUSED"], "live_orders": 0, "orders": 0, "key": "k"}
    assert with_grid.services.commands[0][0] == "cmd.0.grid.sol.pause"
    assert with_grid.services.commands[0][1].body == PauseGrid(keep_orders=False)


async def test_a_pause_that_keeps_orders_does_not_wait_for_them(with_grid: System) -> None:
    told = (await with_grid.ask("grid", "pause", "sol", "--keep-orders"))["grid"]

    assert told["orders"] == 1
    assert with_grid.services.commands[0][1].body == PauseGrid(keep_orders=True)


async def test_a_resumed_grid_says_what_it_still_waits_for(with_grid: System) -> None:
    assert (await with_grid.run("grid", "resume", "sol")).stdout == "Grid sol trades again.\n"

    waiting = msgspec.structs.replace(VIEW, reasons=("STALE_PRICE",))
    with_grid.services.grids["sol"] = msgspec.structs.replace(DETAIL, view=waiting)

    assert (await with_grid.run("grid", "resume", "sol")).stdout == "Grid sol still waits: STALE_PRICE.\n"
    assert with_grid.services.commands[0][1].body == ResumeGrid()


async def test_a_stopped_grid_tells_its_total_in_plain_words(with_grid: System) -> None:
    async def stop_it(subject: str, asked: CommandRequest) -> None:
        stopped = GridStopped(position_e9=-1_000_000_000, quote_e6=110_000_000, fills=3)
        await with_grid.services.record("strategy", "grid:sol", stopped)
        closed = msgspec.structs.replace(BOOKS, is_open=False, lines=())
        asyncio.get_running_loop().call_later(0.2, lambda: with_grid.services.books.update(sol=closed))

    with_grid.services.reaction = stop_it

    result = await with_grid.run("grid", "stop", "sol", "--close")

    assert result.exit_code == 0, result.output
    in_total = (
        "In total it lost 1.48: 8.00 realised by its fills, -9.50 in what is still open at 100.5, "
        "0.02 received in rebates, 0.00 of funding."
    )
    assert result.stdout.splitlines() == [
        "Grid sol is stopped after 3 fills. It leaves a position of -1 behind.",
        in_total,
        "Completed turns (1) alone brought 10.00 before fees; the total is what counts.",
    ]
    assert with_grid.services.commands[0][1].body == StopGrid(close=True)


async def test_a_stop_nobody_waits_for_is_under_way(with_grid: System) -> None:
    told = (await with_grid.ask("grid", "stop", "sol", "--no-wait", "--key", "k"))["grid"]

    assert told == {"id": "sol", "state": "stopping", "key": "k"}


async def test_halting_all_accounts_gives_each_a_key_of_its_own(system: System) -> None:
    other = msgspec.structs.replace(ACCOUNT, alias="desk", halted="trouble")
    system.services.accounts = [msgspec.structs.replace(ACCOUNT, halted="trouble"), other]

    told = await system.ask("account", "halt", "--all", "--reason", "trouble", "--key", "k")

    assert [row["name"] for row in told["accounts"]] == ["main", "desk"]
    assert [(subject, asked.key) for subject, asked in system.services.commands] == [
        ("cmd.0.account.main.halt", "k/main"),
        ("cmd.0.account.desk.halt", "k/desk"),
    ]
    assert system.services.commands[0][1].body == HaltAccount()


async def test_a_resumed_account_says_so(system: System) -> None:
    result = await system.run("account", "resume", "main")

    assert result.stdout == "Account main is not halted.\n"
    assert system.services.commands[0][0] == "cmd.0.account.main.resume"
