"""The settings of the ledger, from variables that begin with `GRIDKEEPER_LEDGER_`."""

from __future__ import annotations

from gridkeeper_shell.settings import ShellSettings

PREFIX = "GRIDKEEPER_LEDGER_"
SERVICE = "ledger"


class LedgerSettings(ShellSettings, frozen=True, kw_only=True):
    """Nothing beyond what every deciding service has."""
