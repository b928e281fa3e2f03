"""`gridkeeper grid create` against a running system: checked, proposed, waited for, told in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridRejected
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.requests import CommandRequest
from support.command import ACCOUNT, GRID_TEXT, System, document
from support.command_answers import DETAIL, OPENED, VIEW

pytestmark = pytest.mark.servers


def changed(grid_file: Path, old: str, new: str) -> None:
    """Another grid file."""
    grid_file.write_text(GRID_TEXT.replace(old, new))


async def test_a_created_grid_is_waited_for_and_told_in_plain_words(system: System, grid_file: Path) -> None:
    async def open_it(subject: str, asked: CommandRequest) -> None:
        await system.services.record("strategy", "grid:sol", OPENED)

    system.services.reaction = open_it

    result = await system.run("grid", "create", str(grid_file), "--author", "ann", "--reason", "try", "--key", "k1")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Grid sol is open on SOL-PERP with account main: 4 levels from 90 to 120, 1 per")
    subject, asked = system.services.commands[0]
    assert subject == "cmd.0.grid.sol.propose"
    assert (asked.key, asked.author, asked.reason) == ("k1", "ann", "try")
    assert isinstance(asked.body, ProposeGrid)
    assert (asked.body.config.grid_id, asked.body.source, asked.body.accepted) == ("sol", GRID_TEXT, ())


async def test_a_created_grid_is_one_document(system: System, grid_file: Path) -> None:
    async def open_it(subject: str, asked: CommandRequest) -> None:
        await system.services.record("strategy", "grid:sol", OPENED)

    system.services.reaction = open_it

    told = (await system.ask("grid", "create", str(grid_file), "--key", "k"))["grid"]

    assert told == {
        "id": "sol",
        "market": "SOL-PERP",
        "account": "main",
        "key": "k",
        "state": "open",
        "levels": 4,
        "lower": "90",
        "upper": "120",
        "start_price": "100",
        "start_position": "0",
    }


async def test_a_rejected_grid_is_a_refusal_with_its_code(system: System, grid_file: Path) -> None:
    async def reject_it(subject: str, asked: CommandRequest) -> None:
        await system.services.record("strategy", "grid:sol", GridRejected(code="MARGIN_SHORT", detail="lacks 5"))

    system.services.reaction = reject_it

    result = await system.run("grid", "create", str(grid_file), "--json")

    assert result.exit_code == 1
    assert (document(result)["error"]["code"], document(result)["error"]["detail"]) == ("MARGIN_SHORT", "lacks 5")


async def test_who_does_not_wait_learns_that_it_is_proposed(system: System, grid_file: Path) -> None:
    told = (await system.ask("grid", "create", str(grid_file), "--no-wait"))["grid"]

    assert told["state"] == "proposed"
    assert told["key"] == system.services.commands[0][1].key


async def test_two_creations_without_a_key_have_two_keys(system: System, grid_file: Path) -> None:
    for _ in range(2):
        await system.ask("grid", "create", str(grid_file), "--no-wait")

    first, second = (asked.key for _, asked in system.services.commands)
    assert first != second


async def test_a_grid_something_speaks_against_is_not_proposed(system: System, grid_file: Path) -> None:
    changed(grid_file, "intervals = 3", 'intervals = 3\ncapital = "21"')

    result = await system.run("grid", "create", str(grid_file), "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "LIQUIDATION_INSIDE_RANGE")
    assert system.services.commands == []


async def test_what_was_accepted_is_sent_to_be_recorded(system: System, grid_file: Path) -> None:
    changed(grid_file, "intervals = 3", 'intervals = 3\ncapital = "21"')

    await system.ask("grid", "create", str(grid_file), "--accept", "LIQUIDATION_INSIDE_RANGE", "--no-wait")

    body = system.services.commands[0][1].body
    assert isinstance(body, ProposeGrid)
    assert body.accepted == ("LIQUIDATION_INSIDE_RANGE",)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("SOL-PERP", "ETH-PERP", "MARKET_UNKNOWN"),
        ("intervals = 3", 'intervals = 3\naccount = "other"', "ACCOUNT_UNKNOWN"),
        ('base = "1"', 'base = "0.001"', "SIZE_UNDER_MINIMUM"),
    ],
)
async def test_what_the_system_does_not_have_is_refused(
    system: System, grid_file: Path, old: str, new: str, code: str
) -> None:
    changed(grid_file, old, new)

    result = await system.run("grid", "create", str(grid_file), "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, code)
    assert system.services.commands == []


async def test_a_check_proposes_nothing(system: System, grid_file: Path) -> None:
    told = await system.ask("grid", "create", str(grid_file), "--check")

    assert (told["id"], told["refusals"]) == ("sol", [])
    assert system.services.commands == []


async def test_a_check_finds_an_id_that_is_taken(with_grid: System, grid_file: Path) -> None:
    result = await with_grid.run("grid", "create", str(grid_file), "--check", "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "GRID_EXISTS")


async def test_the_refusal_of_a_service_arrives_as_it_was(system: System, grid_file: Path) -> None:
    system.services.refusal = GridkeeperError("GRID_EXISTS", field="grid.id", value="sol", do="Take another.")

    result = await system.run("grid", "create", str(grid_file), "--json")

    assert (result.exit_code, document(result)["error"]["do"]) == (1, "Take another.")


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ({"phase": "recovering"}, "ACCOUNT_NOT_LIVE"),
        ({"halted": "trouble"}, "ACCOUNT_HALTED"),
        ({"free_slots": 31}, "NO_FREE_SLOTS"),
        ({"grids": ("other",)}, "MARKET_BUSY"),
    ],
)
async def test_what_the_account_cannot_carry_does_not_use_up_the_id(
    system: System, grid_file: Path, account: dict[str, Any], code: str
) -> None:
    system.services.accounts = [msgspec.structs.replace(ACCOUNT, **account)]
    system.services.grids = {"other": msgspec.structs.replace(DETAIL, view=msgspec.structs.replace(VIEW, id="other"))}

    result = await system.run("grid", "create", str(grid_file), "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, code)
    assert system.services.commands == []


async def test_a_grid_of_another_account_or_market_is_in_nobodys_way(system: System, grid_file: Path) -> None:
    elsewhere = msgspec.structs.replace(VIEW, id="other", account="desk")
    system.services.grids = {"other": msgspec.structs.replace(DETAIL, view=elsewhere)}

    assert (await system.ask("grid", "create", str(grid_file), "--no-wait"))["grid"]["state"] == "proposed"


async def test_a_grid_that_exists_is_left_to_the_service_to_answer(with_grid: System, grid_file: Path) -> None:
    with_grid.services.accounts = [msgspec.structs.replace(ACCOUNT, grids=("sol",), free_slots=0)]
    await with_grid.services.record("strategy", "grid:sol", OPENED)

    told = (await with_grid.ask("grid", "create", str(grid_file), "--key", "k1"))["grid"]

    assert told["state"] == "open"
    assert with_grid.services.commands[0][1].key == "k1"
