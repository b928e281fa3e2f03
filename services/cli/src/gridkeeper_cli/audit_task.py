"""One audit of a system in containers, as a task that ends: `audit verify`, `audit replay` and `ledger proof`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gridkeeper_cli.own_run import own_run
from gridkeeper_runtime.datadir import locked, write_run_file

CHECKS = (("audit", "verify", "--no-prices"), ("audit", "replay"), ("ledger", "proof"))
"""The price files are on the volume of price-feed, which no other pod can mount."""


def main() -> int:
    """The exit code: 0 when every check passed. Each check's document goes to stdout, whatever the others found.

    NATS_URL_FILE and POSTGRES_URL_FILE hold the auditor's URLs; GRIDKEEPER_DATA_DIR is where the commands look.
    """
    data_dir = Path(os.environ["GRIDKEEPER_DATA_DIR"])
    nats_url, postgres_url = (Path(os.environ[f"{name}_URL_FILE"]).read_text().strip() for name in ("NATS", "POSTGRES"))
    run = own_run(nats_url, postgres_url)
    with locked(data_dir, run.version):
        write_run_file(data_dir, run)
        codes = [_check(data_dir, words) for words in CHECKS]
    return max(codes)


def _check(data_dir: Path, words: tuple[str, ...]) -> int:
    command = [sys.executable, "-m", "gridkeeper_cli", "--data-dir", str(data_dir), "--json", *words]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
