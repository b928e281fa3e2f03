"""`python -m gridkeeper_sandbox`: settings from the environment, then the service."""

from __future__ import annotations

import os
import sys

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.life import run_until_stopped
from gridkeeper_runtime.settings import read_settings
from gridkeeper_sandbox.config import PREFIX, SERVICE, SandboxSettings
from gridkeeper_sandbox.service import run


def main() -> int:
    """The exit code: 0 ended in order, 1 failed, 2 wrong settings."""
    try:
        settings = read_settings(SandboxSettings, PREFIX, os.environ)
    except GridkeeperError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run_until_stopped(lambda stop: run(settings, stop), service=SERVICE, level=settings.log_level)


if __name__ == "__main__":
    sys.exit(main())
