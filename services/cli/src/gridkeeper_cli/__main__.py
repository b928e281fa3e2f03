"""The gridkeeper command: all groups of commands under one name."""

from __future__ import annotations

import click

from gridkeeper_cli.group import GridkeeperGroup
from gridkeeper_cli.session import Session, everywhere

COMMANDS: dict[str, str] = {
    "up": "gridkeeper_cli.up:up",
    "preview": "gridkeeper_cli.preview_command:preview",
    "backtest": "gridkeeper_cli.backtest_command:backtest",
    "grid": "gridkeeper_cli.grid_commands:grid",
    "account": "gridkeeper_cli.account_commands:account",
    "ledger": "gridkeeper_cli.ledger_commands:ledger",
    "events": "gridkeeper_cli.event_commands:events",
    "audit": "gridkeeper_cli.audit_commands:audit",
    "notify": "gridkeeper_cli.notify_commands:notify",
    "backup": "gridkeeper_cli.backup_commands:backup",
    "restore": "gridkeeper_cli.backup_commands:restore",
    "doctor": "gridkeeper_cli.doctor:doctor",
    "emergency": "gridkeeper_cli.emergency:emergency",
    "agent": "gridkeeper_cli.agent_command:agent",
    "eventlog": "gridkeeper_cli.eventlog_commands:eventlog",
    "sandbox": "gridkeeper_cli.sandbox_commands:sandbox",
    "data": "gridkeeper_cli.data_commands:data",
}
"""Every command and where it is; a new one is added here. It is imported when used: a backtest needs no client."""


def _show_version(ctx: click.Context, _param: click.Parameter, *, value: bool) -> None:
    if value:
        from importlib.metadata import version

        number = version("gridkeeper-cli")
        ctx.ensure_object(Session).answer({"version": number}, f"gridkeeper {number}")
        ctx.exit()


@click.group(cls=GridkeeperGroup, commands_at=COMMANDS)
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


def main() -> None:
    """The entry point of the `gridkeeper` script."""
    cli.main()


if __name__ == "__main__":
    main()
