"""The gridkeeper command: all groups of commands under one name."""

from __future__ import annotations

from importlib.metadata import version

import click

from gridkeeper_cli.account_commands import account
from gridkeeper_cli.audit_commands import audit
from gridkeeper_cli.doctor import doctor
from gridkeeper_cli.event_commands import events
from gridkeeper_cli.eventlog_commands import eventlog
from gridkeeper_cli.grid_commands import grid
from gridkeeper_cli.group import GridkeeperGroup
from gridkeeper_cli.ledger_commands import ledger
from gridkeeper_cli.preview_command import preview
from gridkeeper_cli.session import Session, everywhere
from gridkeeper_cli.up import up

COMMANDS: tuple[click.Command, ...] = (up, preview, grid, account, ledger, events, audit, doctor, eventlog)
"""Every command; a new one is added here."""


def _show_version(ctx: click.Context, _param: click.Parameter, *, value: bool) -> None:
    if value:
        number = version("gridkeeper-cli")
        ctx.ensure_object(Session).answer({"version": number}, f"gridkeeper {number}")
        ctx.exit()


@click.group(cls=GridkeeperGroup)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, param, value: _show_version(ctx, param, value=value),
    help="Show the version and exit.",
)
@everywhere
def cli() -> None:
    """Grid trading on Drift-protocol perpetuals that can prove what it did and what it earned.

    Ends with 0 when done, 1 when refused or a check failed, 2 when used wrongly.

    \b
    Example:
      gridkeeper preview sol-range.toml --price 150
      gridkeeper grid create sol-range.toml
      gridkeeper grid list
    """


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """The entry point of the `gridkeeper` script."""
    cli.main()


if __name__ == "__main__":
    main()
