"""Things break: Prometheus sees it, Alertmanager passes it on, the notifier tells each once, and when it is over."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gridkeeper_cli.demo import make_demo_files
from gridkeeper_runtime.ports import choose_port
from support.monitoring import watching
from support.receivers import Receiver, receiving
from support.wallet import ask_chain, leave_in_wallet
from support.whole_system import WholeSystem, running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("prometheus") is None and "CI" not in os.environ, reason="Prometheus is not installed"
    ),
]

SERVICE_DOWN = "gridkeeper-strategy does not answer"
PRICE_STALE = "SOL-PERP has had no price"
BOOKS_DIFFER = "Account main differs from the venue"
BOOKS_AGREE = "Over: Account main and the venue state"
SOL_OUT = "SOL left for fees. No more orders are placed."
SOL_BACK = "Over: The wallet of main has 0.0"
BREAKER = "No requests go to rpc"
LAMPORTS = 10_000_000
"""Less than placing needs, and enough for the fees of what the test does."""
WITHOUT_LOGS = '[[fault]]\nkind = "truncated-logs"\nmethod = "getTransaction"\n'
ENDPOINT_AWAY = '[[fault]]\nkind = "server-error"\n'


def told(receiver: Receiver, words: str) -> list[str]:
    """The messages that hold these words."""
    return [body["message"] for body in receiver.bodies if words in body["message"]]


def test_what_is_alive_in_the_record_and_dead_in_reality_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    """A service and the price stop, money moves unseen, the wallet is empty, the endpoint fails; all is mended."""
    data_dir, chat, alerts = tmp_path / "data", choose_port(), choose_port()
    config = make_demo_files(data_dir, "synthetic")
    notify = f'\n[notify]\nalerts_port = {alerts}\n[notify.channels]\nchat = "json://127.0.0.1:{chat}/"\n'
    config.write_text(config.read_text() + notify)
    with receiving(chat) as receiver, running(data_dir, "--no-example") as system:
        system.until(lambda: not system.unready(), within_s=60)
        # The price has to be a minute old, as in the rule; everything else happens meanwhile.
        with watching(system, tmp_path / "monitoring", alerts) as monitoring, stopped(system, "price_feed", "strategy"):
            system.until(lambda: monitoring.value("count(up == 1)") == 4, within_s=30)
            system.until(lambda: told(receiver, SERVICE_DOWN), within_s=30)
            empty_the_wallet_and_break_the_books(system, receiver, tmp_path)
            open_the_breaker(system, receiver, tmp_path)
            system.until(lambda: told(receiver, PRICE_STALE), within_s=90)
            os.kill(system.pid("price_feed"), signal.SIGCONT)
            os.kill(system.pid("strategy"), signal.SIGCONT)
            for ended in (SERVICE_DOWN, PRICE_STALE):
                system.until(lambda words=ended: told(receiver, f"Over: {words}"), within_s=40)  # type: ignore[misc]
            system.until(lambda: monitoring.firing() == {"Watchdog"}, within_s=40)

    for words in (SERVICE_DOWN, PRICE_STALE, BREAKER):
        assert [message.startswith("Over: ") for message in told(receiver, words)] == [False, True], words
    for words in (BOOKS_DIFFER, BOOKS_AGREE, SOL_OUT, SOL_BACK):
        assert len(told(receiver, words)) == 1, words
    assert "docs/runbooks/service-down.md" in told(receiver, SERVICE_DOWN)[0]


def empty_the_wallet_and_break_the_books(system: WholeSystem, receiver: Receiver, folder: Path) -> None:
    """SOL is spent past us, and 5 are taken out in a transaction whose logs no endpoint has any more; then undone."""
    key, url = system.data_dir / "keys" / "demo.json", system.run_file.rpc_url
    wallet = leave_in_wallet(url, key, LAMPORTS)
    misbehave(system, folder, WITHOUT_LOGS)
    move_money(system, "withdraw", key)
    system.until(lambda: system.reconcile().differs, within_s=40)
    system.until(lambda: told(receiver, BOOKS_DIFFER) and told(receiver, SOL_OUT), within_s=20)

    move_money(system, "deposit", key)
    ask_chain(url, "sandbox_fund", wallet, {"lamports": 10**9, "quote_e6": 0})
    system.until(lambda: not system.reconcile().differs and not system.account().guards, within_s=40)
    system.until(lambda: told(receiver, BOOKS_AGREE) and told(receiver, SOL_BACK), within_s=20)
    misbehave(system, folder, "")


def open_the_breaker(system: WholeSystem, receiver: Receiver, folder: Path) -> None:
    """The only endpoint fails until its breaker opens, and comes back."""
    misbehave(system, folder, ENDPOINT_AWAY)
    system.until(lambda: told(receiver, BREAKER), within_s=40)
    misbehave(system, folder, "")
    system.until(lambda: told(receiver, f"Over: {BREAKER}"), within_s=40)


def misbehave(system: WholeSystem, folder: Path, faults: str) -> None:
    """The sandbox does so from now on; as it should where there are no faults."""
    file = folder / "faults.toml"
    file.write_text(faults)
    code, answer = system.command("sandbox", "faults", *(("set", str(file)) if faults else ("clear",)))
    assert code == 0, answer


def move_money(system: WholeSystem, how: str, key: Path) -> None:
    code, answer = system.command("account", how, "main", "5", "--owner-key", str(key))
    assert code == 0, answer


@contextmanager
def stopped(system: WholeSystem, *services: str) -> Iterator[None]:
    """These do nothing from now on; whatever happens, they go on in the end."""
    for service in services:
        os.kill(system.pid(service), signal.SIGSTOP)
    try:
        yield
    finally:
        for service in services:
            os.kill(system.pid(service), signal.SIGCONT)
