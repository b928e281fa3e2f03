"""Wrong usage ends with 2, refusals with 1; with --json both are one document; every command explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gridkeeper_cli.__main__ import cli
from gridkeeper_cli.group import GridkeeperGroup
from gridkeeper_cli.session import everywhere
from support.command import document, run


def commands(of: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if path:
        yield path, of
    if isinstance(of, click.Group):
        ctx = click.Context(of)
        for name in of.list_commands(ctx):
            command = of.get_command(ctx, name)
            assert command is not None
            yield from commands(command, (*path, name))


ALL = list(commands(cli))
LEAVES = [(path, command) for path, command in ALL if not isinstance(command, click.Group)]
CHANGING = [
    ("grid", "create"),
    ("grid", "pause"),
    ("grid", "resume"),
    ("grid", "stop"),
    ("account", "halt"),
    ("account", "resume"),
]


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_the_help_of_every_command_shows_an_example(path: tuple[str, ...]) -> None:
    result = run(*path, "--help")

    assert result.exit_code == 0
    assert f"Example:\n    gridkeeper {path[0]}" in result.stdout


@pytest.mark.parametrize("command", [c for _, c in LEAVES], ids=[" ".join(path) for path, _ in LEAVES])
def test_every_command_takes_json_and_data_dir(command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}

    assert {"--json", "--data-dir"} <= options


@pytest.mark.parametrize("path", CHANGING, ids=" ".join)
def test_a_changing_command_takes_who_why_and_how(path: tuple[str, ...]) -> None:
    options = {option for parameter in dict(LEAVES)[path].params for option in parameter.opts}

    assert {"--reason", "--author", "--key", "--yes", "--no-wait"} <= options


def test_no_command_at_all_shows_the_help_and_is_wrong_usage() -> None:
    result = run()

    assert result.exit_code == 2
    assert "Commands:" in result.stderr


@pytest.mark.parametrize(
    "args", [("grid", "lst"), ("grid", "show"), ("preview",), ("grid", "list", "--colour"), ("account", "halt"), ()]
)
def test_wrong_usage_is_one_document_with_json(args: tuple[str, ...]) -> None:
    result = run(*args, "--json")

    assert result.exit_code == 2
    assert document(result)["error"]["code"] == "BAD_USAGE"


def test_wrong_usage_is_told_on_stderr_without_json() -> None:
    result = run("grid", "lst")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "lst" in result.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("gridkeeper 0.")
    assert document(run("--version", "--json"))["version"].startswith("0.")


@pytest.mark.parametrize(
    "args",
    [
        ("grid", "list"),
        ("grid", "show", "a"),
        ("grid", "pause", "a"),
        ("grid", "resume", "a"),
        ("grid", "stop", "a"),
        ("account", "list"),
        ("account", "show", "main"),
        ("account", "halt", "--all"),
        ("account", "resume", "main"),
        ("ledger", "show"),
        ("events", "tail"),
        ("events", "show", "grid:a@1"),
    ],
    ids=" ".join,
)
def test_without_a_running_gridkeeper_it_says_so(args: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*args, "--json", data_dir=tmp_path)

    assert result.exit_code == 1
    assert document(result)["error"]["code"] == "NOT_RUNNING"
    assert set(document(result)["error"]) == {"code", "field", "value", "expected", "do", "detail"}


def test_without_json_a_refusal_is_told_on_stderr(tmp_path: Path) -> None:
    result = run("grid", "list", data_dir=tmp_path)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("NOT_RUNNING: ")
    assert "gridkeeper up" in result.stderr


def test_json_may_stand_before_the_command(tmp_path: Path) -> None:
    result = run("--json", "--data-dir", str(tmp_path), "grid", "list")

    assert document(result)["error"]["code"] == "NOT_RUNNING"


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("events", "show", "grid:a"), "STREAM@VERSION"),
        (("events", "show", "grid:a@x"), "STREAM@VERSION"),
        (("account", "halt", "main", "--all"), "NAME"),
        (("account", "resume"), "NAME"),
    ],
)
def test_usage_that_only_the_command_understands_is_checked_as_well(args: tuple[str, ...], field: str) -> None:
    result = run(*args, "--json")

    assert result.exit_code == 2
    assert (document(result)["error"]["code"], document(result)["error"]["field"]) == ("BAD_USAGE", field)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--topic", "order.filed"), "order.filled.v1"),
        (("--stream", "gird:a"), "grid"),
        (("--stream", "grid"), "KIND:NAME"),
    ],
)
def test_an_unknown_stream_or_topic_is_refused_with_what_there_is(args: tuple[str, ...], expected: str) -> None:
    result = run("events", "tail", *args, "--json")

    assert result.exit_code == 1
    assert document(result)["error"]["code"] == "BAD_VALUE"
    assert expected in document(result)["error"]["expected"]


def test_what_nobody_foresaw_is_still_one_document() -> None:
    @click.group(cls=GridkeeperGroup)
    def broken() -> None:
        """A command with a fault."""

    @broken.command()
    @everywhere
    def divide() -> None:
        raise ZeroDivisionError("by zero")

    result = CliRunner().invoke(broken, ["divide", "--json"])

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "INTERNAL")
    assert "ZeroDivisionError" in result.stderr
