"""A system whose event stream was rotated trades on, and its whole record is still proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.whole_system import command, running

pytestmark = pytest.mark.system


def test_a_rotated_system_trades_on_and_nothing_of_its_record_is_missing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir) as system:
        before = system.until(lambda: system.grid("example").view.fills, within_s=60)

    code, answer = command(data_dir, "eventlog", "rotate", "--yes")
    assert code == 0, answer
    sealed = answer["rotate"]["events"]
    assert answer["rotate"]["carried"] < sealed

    with running(data_dir) as system:
        system.until(lambda: system.grid("example").view.fills > before, within_s=60)
        code, verified = system.command("audit", "verify")
        assert code == 0, verified
        assert sum(log["events"] for log in verified["audit"]["logs"]) > sealed
        for check in (("audit", "replay"), ("audit", "replay", "--decisions", "--from", "ev")):
            code, answer = system.command(*check)
            assert code == 0, answer
        assert [log["lacking"] for log in answer["decisions"]["logs"]] == [{}] * 4
