"""Starts execution: `python -m gridkeeper_execution`."""

from __future__ import annotations

import os
import sys

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_execution.config import PREFIX, SERVICE, ExecutionSettings
from gridkeeper_execution.service import serve
from gridkeeper_runtime.life import run_until_stopped
from gridkeeper_runtime.settings import read_settings


def main() -> int:
    """The exit code: 0 ended in order, 1 failed, 2 wrong settings."""
    try:
        settings = read_settings(ExecutionSettings, PREFIX, os.environ)
    except GridkeeperError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run_until_stopped(lambda stop: serve(settings, stop), service=SERVICE, level=settings.log_level)


if __name__ == "__main__":
    sys.exit(main())
