"""The settings of strategy, from variables that begin with `GRIDKEEPER_STRATEGY_`."""

from __future__ import annotations

from gridkeeper_shell.settings import ShellSettings

PREFIX = "GRIDKEEPER_STRATEGY_"
SERVICE = "strategy"


class StrategySettings(ShellSettings, frozen=True, kw_only=True):
    """Nothing beyond what every deciding service has."""
