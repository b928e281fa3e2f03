"""Something breaks: Prometheus sees it, Alertmanager passes it on, the notifier tells it once, and when it is over."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from gridkeeper_cli.demo import make_demo_files
from gridkeeper_runtime.ports import choose_port
from support.monitoring import watching
from support.receivers import Receiver, receiving
from support.whole_system import running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("prometheus") is None and "CI" not in os.environ, reason="Prometheus is not installed"
    ),
]


def told(receiver: Receiver, words: str) -> list[str]:
    """The messages that hold these words."""
    return [body["message"] for body in receiver.bodies if words in body["message"]]


def test_what_breaks_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    data_dir, chat, alerts = tmp_path / "data", choose_port(), choose_port()
    config = make_demo_files(data_dir, "synthetic")
    notify = f'\n[notify]\nalerts_port = {alerts}\n[notify.channels]\nchat = "json://127.0.0.1:{chat}/"\n'
    config.write_text(config.read_text() + notify)
    with receiving(chat) as receiver, running(data_dir) as system:
        system.until(lambda: not system.unready(), within_s=60)
        stale = "time() - max by (market) (gridkeeper_last_price_timestamp_seconds) > 5"
        with watching(system, tmp_path / "monitoring", alerts, PriceStale=stale) as monitoring:
            system.until(lambda: monitoring.value("count(up == 1)") == 6, within_s=30)
            system.until(lambda: monitoring.firing() == {"Watchdog"}, within_s=30)

            feed, ledger = system.pid("price_feed"), system.pid("ledger")
            for pid in (feed, ledger):
                os.kill(pid, signal.SIGSTOP)
            try:
                system.until(lambda: told(receiver, "SOL-PERP has had no price"), within_s=40)
                system.until(lambda: told(receiver, "gridkeeper-ledger does not answer"), within_s=40)
            finally:
                for pid in (feed, ledger):
                    os.kill(pid, signal.SIGCONT)
            system.until(lambda: told(receiver, "Over: gridkeeper-ledger does not answer"), within_s=40)
            system.until(lambda: told(receiver, "Over: SOL-PERP has had no price"), within_s=40)
            assert len(told(receiver, "gridkeeper-ledger does not answer")) == 2
            assert "docs/runbooks/service-down.md" in told(receiver, "gridkeeper-ledger does not answer")[0]
            system.until(lambda: monitoring.firing() == {"Watchdog"}, within_s=40)
