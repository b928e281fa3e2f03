"""Starts strategy: `python -m gridkeeper_strategy`."""

from __future__ import annotations

import os
import sys

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.life import run_until_stopped
from gridkeeper_runtime.settings import read_settings
from gridkeeper_strategy.config import PREFIX, SERVICE, StrategySettings
from gridkeeper_strategy.service import serve


def main() -> int:
    """The exit code: 0 ended in order, 1 failed, 2 wrong settings."""
    try:
        settings = read_settings(StrategySettings, PREFIX, os.environ)
    except GridkeeperError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run_until_stopped(lambda stop: serve(settings, stop), service=SERVICE, level=settings.log_level)


if __name__ == "__main__":
    sys.exit(main())
