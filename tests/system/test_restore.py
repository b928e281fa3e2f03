"""Everything is lost but a backup: what is made from it is whole, and trades on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.whole_system import command, running

pytestmark = pytest.mark.system


def test_a_system_is_restored_elsewhere_from_its_backup_and_trades_on(tmp_path: Path) -> None:
    """Taken while everything trades; then the data directory is lost, its keys and the chain of the demo with it."""
    data_dir, file, elsewhere = tmp_path / "data", tmp_path / "backup.tar.gz", tmp_path / "another" / "place"
    with running(data_dir) as system:
        before = system.until(lambda: system.grid("example").view.fills, within_s=60)
        code, answer = system.command("backup", str(file))
        assert code == 0, answer
        assert answer["backup"]["events"] > 0
    shutil.rmtree(data_dir)

    code, answer = command(elsewhere, "restore", str(file))
    assert code == 0, answer

    code, rehearsed = command(elsewhere, "audit", "replay", "--decisions")
    assert code == 0, rehearsed  # of a copy that does not trade

    with running(elsewhere) as system:
        after = system.until(lambda: system.grid("example").view.fills > before, within_s=60)
        assert after
        for check in (("audit", "verify"), ("audit", "replay")):
            code, answer = system.command(*check)
            assert code == 0, answer
