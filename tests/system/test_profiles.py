"""Paper: live prices of a local Pyth server. Drift: the sandbox of another Gridkeeper plays the real cluster."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gridkeeper_core import events as e
from gridkeeper_drift.keys import make_key_file
from support.hermes import Hermes, hermes
from support.secret_forms import secret_forms
from support.whole_system import WholeSystem, command, running

pytestmark = pytest.mark.system

READY_WITHIN_S = 60.0
SOL = 10**9
GRID = """
[grid]
id = "live"
market = "SOL-PERP"
account = "main"
direction = "neutral"
lower = "{lower}"
upper = "{upper}"
intervals = 20
spacing = "arithmetic"
size = {{ base = "0.1" }}
leverage = "2"

[window]
live_orders = 12
"""


@contextmanager
def speaking_hermes() -> Iterator[Hermes]:
    """A Hermes in a thread of its own that says 150 USD four times a second."""
    started: list[Hermes] = []
    over = threading.Event()

    async def speak() -> None:
        async with hermes() as server:
            started.append(server)
            while not over.is_set():  # it speaks at a pace
                server.say(150 * 10**8, int(time.time()))
                await asyncio.sleep(0.25)

    thread = threading.Thread(target=lambda: asyncio.run(speak()))
    thread.start()
    try:
        while not started:
            time.sleep(0.05)
        yield started[0]
    finally:
        over.set()
        thread.join()


def create_grid(system: WholeSystem, folder: Path, lower: str, upper: str) -> None:
    path = folder / "live.toml"
    path.write_text(GRID.format(lower=lower, upper=upper))
    code, answer = system.command("grid", "create", str(path), "--yes")
    assert code == 0, answer


def services_unready(system: WholeSystem) -> dict[str, list[str]]:
    """As `unready`, where no sandbox is expected."""
    return {name: why for name, why in system.unready().items() if name != "sandbox"}


def is_trading(system: WholeSystem) -> bool:
    return system.account().open_orders == 12 and not system.unready()


def test_paper_trades_on_the_sandbox_at_the_prices_of_pyth(tmp_path: Path) -> None:
    data_dir = tmp_path / "paper"
    data_dir.mkdir()
    key = tmp_path / "key.json"
    authority = make_key_file(key)
    with speaking_hermes() as server:
        (data_dir / "gridkeeper.toml").write_text(
            f'[accounts.main]\nauthority = "{authority}"\nsigner = "file:{key}"\n'
            f'[feeds]\nSOL-PERP = "pyth"\n[prices]\nhermes = "{server.url}"\n'
        )
        with running(data_dir, "--profile", "paper") as system:
            system.until(lambda: not system.unready(), within_s=READY_WITHIN_S)
            create_grid(system, tmp_path, "140", "160")
            system.until(lambda: is_trading(system), within_s=READY_WITHIN_S)
            started = [event.fact for event in system.events("price_feed_0") if isinstance(event.fact, e.FeedStarted)]

    assert [fact.source for fact in started] == ["pyth"]


def fund(rpc_url: str, wallet: str, lamports: int, quote_e6: int) -> None:
    """The faucet of the sandbox that plays the cluster."""
    params = [wallet, {"lamports": lamports, "quote_e6": quote_e6}]
    body = {"jsonrpc": "2.0", "id": 1, "method": "sandbox_fund", "params": params}
    connection = HTTPConnection(urlsplit(rpc_url).netloc, timeout=10)
    connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
    assert "result" in json.loads(connection.getresponse().read())
    connection.close()


def test_drift_trades_on_an_endpoint_with_a_delegate_at_the_oracle_s_prices(tmp_path: Path) -> None:
    owner_key, bot_key = tmp_path / "owner.json", tmp_path / "bot.json"
    owner, bot = make_key_file(owner_key), make_key_file(bot_key)
    data_dir = tmp_path / "drift"
    data_dir.mkdir()
    with running(tmp_path / "cluster", "--no-example") as cluster:
        cluster.until(lambda: not cluster.unready(), within_s=READY_WITHIN_S)
        rpc_url = cluster.run_file.rpc_url
        fund(rpc_url, owner, 10**9, 10_000 * 10**6)
        fund(rpc_url, bot, 10**9, 0)
        (data_dir / "gridkeeper.toml").write_text(
            f'[accounts.main]\nrpc = "{rpc_url}"\nauthority = "{owner}"\nsigner = "file:{bot_key}"\nrate_limit = 40\n'
            f'[feeds]\nSOL-PERP = "drift"\n'
        )

        code, refused = command(data_dir, "account", "create", "main", "--deposit", "5000")
        assert (code, refused["error"]["code"]) == (1, "OWNER_KEY_NEEDED")
        code, made = command(data_dir, "account", "create", "main", "--deposit", "5000", "--owner-key", str(owner_key))
        assert (code, made["account"]["deposit"]) == (0, "5000"), made

        with running(data_dir, "--profile", "drift") as system:
            system.until(lambda: not services_unready(system), within_s=READY_WITHIN_S)
            create_grid(system, tmp_path, "135", "165")
            system.until(lambda: system.account().open_orders == 12, within_s=READY_WITHIN_S)
            assert "sandbox" not in system.run_file.services
            signed = [event for event in system.events("execution_0") if isinstance(event.fact, e.TransactionSigned)]
            assert signed

        # Whatever was logged or stored, no half of a private key is in it.
        kept = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
        assert signed[0].fact.signature.encode() in kept
        assert not [form for key in (owner_key, bot_key) for form in secret_forms(key) if form in kept]
