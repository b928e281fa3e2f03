"""Editing, cloning and flagging a grid by command: what is shown, what is sent, the way back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gridkeeper_core.events import EditRefused, GridEdited, GridOpened, GridProposed
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.inputs import EditGrid, FlagGrid, ProposeGrid
from gridkeeper_core.requests import CommandRequest, EditView
from support.command import GRID_TEXT, System, document
from support.command_answers import DETAIL, OPENED, ORDER

pytestmark = pytest.mark.servers

WIDER = GRID_TEXT.replace('upper = "120"', 'upper = "130"').replace("intervals = 3", "intervals = 4")
PLAN = EditView(
    levels_before_e6=DETAIL.levels_e6,
    levels_after_e6=(*DETAIL.levels_e6, 130_000_000),
    sizes_before_e9=DETAIL.sizes_e9,
    sizes_after_e9=(*DETAIL.sizes_e9, 10**9),
    held_before_e9=10**9,
    held_after_e9=10**9,
    cancelled=(ORDER,),
    placed=(msgspec.structs.replace(ORDER, intent_id="sol/buy/1/0", price_e6=100_000_000),),
    margin_before_e6=20_000_000,
    margin_after_e6=30_000_000,
    is_instant=False,
)


@pytest.fixture
def editable(with_grid: System) -> System:
    with_grid.services.edit_plans = {"sol": PLAN}
    return with_grid


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    path = tmp_path / "wider.toml"
    path.write_text(WIDER)
    return path


def edited(text: str) -> GridEdited:
    return GridEdited(
        config=parse_grid(text), source=text, levels_e6=(), sizes_e9=(), held_e9=(), author="ann", reason="wider"
    )


async def test_an_edit_is_shown_and_changes_nothing(editable: System, wider: Path) -> None:
    told = (await editable.ask("grid", "edit", "sol", str(wider)))["edit"]

    assert (told["applied"], told["event"], told["levels_kept"]) == (False, None, 4)
    assert told["after"]["levels"][-1] == "130"
    assert (told["before"]["margin"], told["after"]["margin"]) == ("20", "30")
    assert [order["intent"] for order in told["cancelled"]] == ["sol/buy/0/0"]
    assert [order["intent"] for order in told["placed"]] == ["sol/buy/1/0"]
    assert editable.services.commands == []


async def test_an_edit_reads_well_on_paper(editable: System, wider: Path) -> None:
    shown = (await editable.run("grid", "edit", "sol", str(wider))).stdout

    assert "4 from 90 to 120  →  5 from 90 to 130" in shown
    assert "20  →  30" in shown
    assert "Nothing was changed; --apply puts it in force." in shown


async def test_an_applied_edit_sends_the_file_and_who_asked(editable: System, wider: Path) -> None:
    told = await editable.ask(
        "grid", "edit", "sol", str(wider), "--apply", "--reason", "wider", "--author", "ann", "--key", "k"
    )

    assert told["edit"]["applied"]
    subject, asked = editable.services.commands[0]
    assert (subject, asked.key, asked.author, asked.reason) == ("cmd.0.grid.sol.edit", "k", "ann", "wider")
    assert asked.body == EditGrid(config=parse_grid(WIDER), source=WIDER)


async def test_an_edit_that_needs_more_order_slots_waits_for_the_account(editable: System, wider: Path) -> None:
    services = editable.services
    services.edit_plans = {"sol": msgspec.structs.replace(PLAN, slots_before=12, slots_after=16)}
    services.topics = ("grid.edit_proposed.v1",)
    await services.record("strategy", "grid:sol", edited(GRID_TEXT))

    async def grant(_subject: str, _asked: CommandRequest) -> None:
        await services.record("strategy", "grid:sol", edited(WIDER))

    services.reaction = grant
    told = await editable.ask("grid", "edit", "sol", str(wider), "--apply", "--reason", "wider")
    shown = (await editable.run("grid", "edit", "sol", str(wider))).stdout

    # The answer names the event after the proposal (version 1 in the reply), not an edit from before.
    assert (told["edit"]["event"], told["edit"]["order_slots"]) == ("grid:sol@2", {"before": 12, "after": 16})
    assert "12  →  16, got from the account first" in shown


async def test_an_edit_without_room_for_its_orders_ends_with_why(editable: System, wider: Path) -> None:
    services = editable.services
    services.topics = ("grid.edit_proposed.v1",)
    await services.record("strategy", "grid:sol", edited(GRID_TEXT))

    async def deny(_subject: str, _asked: CommandRequest) -> None:
        await services.record(
            "strategy", "grid:sol", EditRefused(code="NO_FREE_SLOTS", detail="12 of 32 free for it, 16 needed")
        )

    services.reaction = deny
    refused = await editable.run("grid", "edit", "sol", str(wider), "--apply", "--reason", "wider", "--json")

    assert refused.exit_code == 1
    assert document(refused)["error"]["code"] == "NO_FREE_SLOTS"
    assert "12 of 32 free" in refused.stdout


async def test_an_edit_that_speaks_against_itself_is_refused_until_accepted(editable: System, tmp_path: Path) -> None:
    poor = tmp_path / "poor.toml"
    poor.write_text(GRID_TEXT.replace("intervals = 3", 'intervals = 3\ncapital = "21"'))

    refused = await editable.run("grid", "edit", "sol", str(poor), "--apply", "--json")
    assert (refused.exit_code, document(refused)["error"]["code"]) == (1, "LIQUIDATION_INSIDE_RANGE")
    assert editable.services.commands == []

    await editable.ask("grid", "edit", "sol", str(poor), "--apply", "--accept", "LIQUIDATION_INSIDE_RANGE")
    body = editable.services.commands[0][1].body
    assert isinstance(body, EditGrid)
    assert body.accepted == ("LIQUIDATION_INSIDE_RANGE",)


async def test_the_way_back_is_the_file_before_the_present_one(editable: System) -> None:
    config = parse_grid(GRID_TEXT)
    await editable.services.record(
        "strategy", "grid:sol", GridProposed(config=config, source=GRID_TEXT, author="ann", reason="")
    )
    await editable.services.record("strategy", "grid:sol", edited(WIDER))

    await editable.ask("grid", "edit", "sol", "--back", "--apply")
    await editable.ask("grid", "edit", "sol", "--to", "2", "--apply")

    sources = [asked.body.source for _, asked in editable.services.commands if isinstance(asked.body, EditGrid)]
    assert sources == [GRID_TEXT, WIDER]


async def test_a_grid_that_was_never_edited_has_no_way_back(editable: System) -> None:
    await editable.services.record(
        "strategy", "grid:sol", GridProposed(config=parse_grid(GRID_TEXT), source=GRID_TEXT, author="a", reason="")
    )

    back = await editable.run("grid", "edit", "sol", "--back", "--json")
    wrong = await editable.run("grid", "edit", "sol", "--to", "7", "--json")

    assert (back.exit_code, document(back)["error"]["field"]) == (1, "--back")
    assert document(wrong)["error"]["field"] == "--to"


@pytest.mark.parametrize("arguments", [(), ("--back", "--to", "1")])
async def test_an_edit_wants_one_source(editable: System, arguments: tuple[str, ...]) -> None:
    assert document(await editable.run("grid", "edit", "sol", *arguments, "--json"))["error"]["code"] == "BAD_USAGE"


async def test_a_clone_is_a_grid_of_its_own_with_changed_settings(with_grid: System) -> None:
    with_grid.services.accounts = [
        msgspec.structs.replace(account, alias=name)
        for account in with_grid.services.accounts
        for name in ("main", "second")
    ]

    async def open_it(subject: str, asked: CommandRequest) -> None:
        await with_grid.services.record("strategy", "grid:twin", msgspec.structs.replace(OPENED, start_price_e6=10**8))

    with_grid.services.reaction = open_it
    told = (
        await with_grid.ask(
            "grid", "clone", "sol", "--as", "twin", "--set", "grid.account=second", "--set", "grid.intervals=2"
        )
    )["grid"]

    assert (told["id"], told["account"], told["state"]) == ("twin", "second", "open")
    subject, asked = with_grid.services.commands[0]
    assert subject == "cmd.0.grid.twin.propose"
    assert isinstance(asked.body, ProposeGrid)
    assert (asked.body.config.intervals, asked.body.config.size_base_e9) == (2, 10**9)
    assert isinstance(OPENED, GridOpened)


async def test_a_clone_can_be_written_instead(with_grid: System, tmp_path: Path) -> None:
    path = tmp_path / "twin.toml"

    await with_grid.ask("grid", "clone", "sol", "--as", "twin", "--set", "grid.upper=130", "--write", str(path))

    assert parse_grid(path.read_text()).upper_e6 == 130_000_000
    assert with_grid.services.commands == []
    again = await with_grid.run("grid", "clone", "sol", "--as", "twin", "--write", str(path), "--json")
    assert document(again)["error"]["code"] == "BAD_FILE"


async def test_a_clone_with_a_wrong_setting_is_refused(with_grid: System) -> None:
    wrong = await with_grid.run("grid", "clone", "sol", "--as", "twin", "--set", "upper", "--json")
    unknown = await with_grid.run("grid", "clone", "sol", "--as", "twin", "--set", "grid.uper=1", "--json")

    assert document(wrong)["error"]["code"] == "BAD_USAGE"
    assert (document(unknown)["error"]["code"], document(unknown)["error"]["expected"]) == ("UNKNOWN_KEY", "grid.upper")


async def test_a_flag_is_sent_and_said_in_words(with_grid: System) -> None:
    async def take_it(subject: str, asked: CommandRequest) -> None:
        flagged = msgspec.structs.replace(DETAIL, flag="canary", flag_until_ns=1_700_086_400 * 10**9)
        with_grid.services.grids["sol"] = flagged

    with_grid.services.reaction = take_it
    shown = (await with_grid.run("grid", "flag", "sol", "canary", "--reason", "small first")).stdout

    assert shown == (
        "Grid sol is canary: it trades a small part of its sizes until 2023-11-15T22:13:20.000000Z, "
        "then goes live by itself.\n"
    )
    assert with_grid.services.commands[0][1].body == FlagGrid(flag="canary")
