"""Looking at a running system: lists, one grid, books, accounts, and what is left when a part is silent."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.ledger.marks import Line
from support.command import GRID_TEXT, SPEC, System, document

pytestmark = pytest.mark.servers


async def test_the_list_has_every_member_it_promises(with_grid: System) -> None:
    assert await with_grid.ask("grid", "list") == {
        "grids": [
            {
                "id": "sol",
                "market": "SOL-PERP",
                "account": "main",
                "state": "open",
                "reasons": [],
                "price": "100.5",
                "gap": 1,
                "position": "-1",
                "fills": 3,
                "live_orders": 1,
                "wanted_orders": 3,
                "grid_profit": "10",
                "total_pnl": "-1.475",
                "fees": "-0.02",
                "funding": "0.005",
                "updated": "2023-11-14T22:13:20.000000Z",
            }
        ]
    }


async def test_the_list_reads_well_on_paper(with_grid: System) -> None:
    shown = (await with_grid.run("grid", "list")).stdout

    assert "total PnL" in shown
    assert "-1.48" in shown


async def test_an_empty_list_says_so(system: System) -> None:
    assert (await system.run("grid", "list")).stdout == "There is no grid yet.\n"
    assert await system.ask("grid", "list") == {"grids": []}


async def test_a_grid_without_books_has_no_money_yet(with_grid: System) -> None:
    with_grid.services.books = {}

    row = (await with_grid.ask("grid", "list"))["grids"][0]

    assert (row["grid_profit"], row["total_pnl"], row["fees"], row["funding"]) == (None, None, None, None)


async def test_a_grid_is_shown_with_levels_cells_orders_and_books(with_grid: System) -> None:
    shown = (await with_grid.ask("grid", "show", "sol"))["grid"]

    assert shown["levels"] == ["90", "100", "110", "120"]
    assert shown["cells"][1] == {"cell": 1, "lower": "100", "upper": "110", "size": "1", "held": "1", "turns": 1}
    assert [(o["intent"], o["price"]) for o in shown["orders"]] == [("sol/buy/0/0", "90")]
    assert shown["books"]["total_pnl"] == "-1.475"
    assert shown["source"] == GRID_TEXT
    assert "90 to 120, 3 cells holding 1 of 3" in (await with_grid.run("grid", "show", "sol")).stdout


async def test_an_unknown_grid_is_refused_by_the_service(system: System) -> None:
    result = await system.run("grid", "show", "sol", "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "GRID_UNKNOWN")


async def test_the_books_of_a_grid_lead_from_grid_profit_to_the_total(with_grid: System) -> None:
    shown = (await with_grid.ask("ledger", "show", "sol"))["grid"]

    assert shown["lines"] == [{"name": "grid profit", "quote": "10"}, {"name": "fees", "quote": "0.02"}]
    assert (shown["grid_profit"], shown["total_pnl"], shown["average_entry"]) == ("10", "-1.475", "110")
    text = (await with_grid.run("ledger", "show", "sol")).stdout
    assert "total PnL" in text
    assert "grid APR" in text
    assert "None" not in text


async def test_the_books_of_all_grids_are_a_list(with_grid: System) -> None:
    assert [row["id"] for row in (await with_grid.ask("ledger", "show"))["grids"]] == ["sol"]
    assert "SOL-PERP" in (await with_grid.run("ledger", "show")).stdout


async def test_an_account_is_shown_with_its_books(system: System) -> None:
    system.services.account_books = {
        "main": ledger.AccountBooksView(
            alias="main",
            deposit_e6=1_000_000_000,
            holdings=(ledger.HoldingView(market="SOL-PERP", market_index=0, base_e9=10**9, quote_e6=-90_000_000),),
            lines=(Line(name="opening", quote_e6=1_000_000_000), Line(name="trade", quote_e6=-2_500_000)),
            last_proof=None,
        )
    }

    shown = (await system.ask("account", "show", "main"))["account"]

    assert (shown["name"], shown["deposit"], shown["sol_spent"]) == ("main", "1000", "0.000005")
    assert shown["books"]["equity"] == "997.5"
    assert "equity by the books" in (await system.run("account", "show", "main")).stdout


async def test_an_unknown_account_is_refused_with_those_there_are(system: System) -> None:
    result = await system.run("account", "show", "mian", "--json")

    assert document(result)["error"] | {"do": "", "detail": ""} == {
        "code": "ACCOUNT_UNKNOWN",
        "field": "account",
        "value": "mian",
        "expected": "main",
        "do": "",
        "detail": "",
    }


async def test_a_preview_takes_market_and_price_of_the_running_system(system: System, grid_file: Path) -> None:
    system.services.markets = [msgspec.structs.replace(SPEC, tick_e6=1_000_000, maker_fee_e5=10)]

    told = await system.ask("preview", str(grid_file))

    assert (told["price"], told["note"]) == ("100", "")
    assert (told["market_spec"]["tick"], told["market_spec"]["maker_fee"]) == ("1", "0.0001")


async def test_while_the_ledger_is_silent_the_grids_are_still_listed(with_grid: System) -> None:
    await with_grid.services.stop()
    await with_grid.services.serve("strategy")

    result = await with_grid.run("grid", "list", "--json")

    assert result.exit_code == 0
    assert msgspec.json.decode(result.stdout)["grids"][0]["total_pnl"] is None
    assert "ledger" in result.stderr


async def test_while_strategy_is_silent_it_says_so(with_grid: System) -> None:
    await with_grid.services.stop()

    result = await with_grid.run("grid", "list", "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "SERVICE_SILENT")
