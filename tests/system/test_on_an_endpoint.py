"""A grid trades on an endpoint: capped priority fees, lookup tables, websocket notices, and the delegate's rights."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core import events as e
from gridkeeper_core.record import encode
from gridkeeper_drift.keys import make_key_file
from gridkeeper_sandbox.accounts_view import LOOKUP_TABLES
from support.sandbox import RunningSandbox, running_sandbox
from support.secret_forms import secret_forms
from support.whole_system import WholeSystem, command, running

pytestmark = pytest.mark.system

READY_WITHIN_S = 60.0
USUAL_FEE, CAP = 9_000, 5_000
"""What everybody pays for a compute unit (1e-6 lamports), and the most we would."""
RARELY = "600000"
"""Ten minutes, in milliseconds."""
LIVE_ORDERS = 12
GRID = f"""
[grid]
id = "live"
market = "SOL-PERP"
lower = "145"
upper = "155"
intervals = 40
spacing = "arithmetic"
size = {{ base = "0.1" }}

[window]
live_orders = {LIVE_ORDERS}
"""


class Market:
    """Says its price to the endpoint four times a second, as an oracle does."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._speak)
        self.usd = 150.1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _speak(self) -> None:
        number = 0
        while not self._over.wait(0.25):
            number += 1
            self._sandbox.price(self.usd, number)


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A grid that trades by a delegate."""

    system: WholeSystem
    sandbox: RunningSandbox
    market: Market
    owner_key: Path
    other: str


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """`gridkeeper up --profile drift` on an endpoint of its own, until its window is live."""
    folder = tmp_path_factory.mktemp("endpoint")
    owner_key, bot_key = folder / "owner.json", folder / "bot.json"
    owner, bot = make_key_file(owner_key), make_key_file(bot_key)
    data_dir = folder / "data"
    data_dir.mkdir(mode=0o700)
    (folder / "live.toml").write_text(GRID)
    with running_sandbox(folder / "chain", priority_fee=USUAL_FEE) as sandbox, Market(sandbox) as market:
        sandbox.fund(Pubkey.from_string(owner))
        sandbox.fund(Pubkey.from_string(bot), 0)
        tables = ", ".join(f'"{table}"' for table in LOOKUP_TABLES)
        (data_dir / "gridkeeper.toml").write_text(
            f'[accounts.main]\nrpc = "{sandbox.url}"\nauthority = "{owner}"\nsigner = "file:{bot_key}"\n'
            f'rate_limit = 40\npriority_fee = "recent:{CAP}"\nlookup_tables = [{tables}]\n[feeds]\nSOL-PERP = "drift"\n'
        )
        code, made = command(data_dir, "account", "create", "main", "--deposit", "5000", "--owner-key", str(owner_key))
        assert code == 0, made
        with running(data_dir, "--profile", "drift") as system:
            system.until(lambda: system.account().phase == "live", within_s=READY_WITHIN_S)
            code, answer = system.command("grid", "create", str(folder / "live.toml"), "--yes")
            assert code == 0, answer
            system.until(lambda: _window_is_live(system), within_s=READY_WITHIN_S)
            other = make_key_file(folder / "other.json")
            yield Desk(system=system, sandbox=sandbox, market=market, owner_key=owner_key, other=other)


def test_the_priority_fee_follows_recent_fees_up_to_its_cap(desk: Desk) -> None:
    landed = {f.signature: f.fee_lamports for f in _facts(desk.system, e.TransactionLanded)}
    assert landed
    for signature, lamports in landed.items():
        units, price = _budget(_transaction(desk, signature))
        assert price == CAP < USUAL_FEE
        assert lamports == 5_000 + -(-units * price // 10**6)


def test_order_transactions_use_the_lookup_tables(desk: Desk) -> None:
    (signature, *_) = (f.signature for f in _facts(desk.system, e.TransactionLanded))
    message = _transaction(desk, signature).message
    assert isinstance(message, MessageV0)
    assert [lookup.account_key for lookup in message.address_table_lookups][:1] == [LOOKUP_TABLES[0]]


def test_a_delegate_that_loses_its_rights_stops_placing_and_goes_on_when_it_has_them_again(desk: Desk) -> None:
    system = desk.system
    fills = system.grid("live").view.fills
    code, answer = system.command("account", "delegate", "main", desk.other, "--owner-key", str(desk.owner_key))
    assert code == 0, answer
    system.until(lambda: any("DELEGATE_MISSING" in guard for guard in system.account().guards), within_s=30)
    system.until(lambda: "DELEGATE_MISSING" in system.grid("live").view.reasons, within_s=30)
    signed = len(_facts(system, e.TransactionSigned))
    desk.market.usd = 149.6
    system.until(lambda: system.grid("live").view.fills > fills, within_s=30)
    assert len(_facts(system, e.TransactionSigned)) == signed

    code, answer = system.command("account", "delegate", "main", "--owner-key", str(desk.owner_key))
    assert code == 0, answer
    system.until(lambda: not system.account().guards, within_s=30)
    system.until(lambda: _window_is_live(system), within_s=30)
    assert len(_facts(system, e.TransactionSigned)) > signed
    assert not system.reconcile().differs


def test_a_notice_of_the_websocket_shows_a_fill_long_before_the_next_poll(desk: Desk) -> None:
    system = desk.system
    with _execution_that_polls_rarely(system):
        system.until(lambda: _window_is_live(system), within_s=READY_WITHIN_S)
        fills = system.grid("live").view.fills
        desk.market.usd = 149.1
        system.until(lambda: system.grid("live").view.fills > fills, within_s=20)
        system.until(lambda: _window_is_live(system), within_s=20)


def test_the_keys_are_in_no_log_no_error_no_event_and_no_core_dump(desk: Desk) -> None:
    system = desk.system
    system.until(lambda: _window_is_live(system), within_s=READY_WITHIN_S)
    limits = Path(f"/proc/{system.pid('execution')}/limits").read_text().splitlines()
    assert [line.split()[4:6] for line in limits if line.startswith("Max core")] == [["0", "0"]]
    owner = ("--owner-key", str(desk.owner_key))
    answers = [system.command("account", "withdraw", "main", "900000", *owner),
               system.command("account", "create", "main", *owner)]  # fmt: skip
    assert [(code, answer["error"]["code"]) for code, answer in answers] == [
        (1, "BALANCE_SHORT"),
        (1, "ACCOUNT_EXISTS"),
    ]
    files = [path for path in system.data_dir.rglob("*") if path.is_file()]
    assert not [path for path in files if path.name.startswith("core")]
    events = [encode(event) for event in system.events("strategy_0", "execution_0", "ledger_0", "notifier_0")]
    kept = b"".join([*(path.read_bytes() for path in files), *events, repr(answers).encode()])
    assert _facts(system, e.TransactionSigned)[0].signature.encode() in kept
    keys = sorted(desk.owner_key.parent.glob("*.json"))
    assert len(keys) == 3
    assert not [form for key in keys for form in secret_forms(key) if form in kept]


@contextmanager
def _execution_that_polls_rarely(system: WholeSystem) -> Iterator[None]:
    """The service is killed and its successor held, while a copy with another setting works in its place."""
    pid = system.pid("execution")
    lines = Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    system.kill("execution")
    held = system.until(lambda: now if (now := system.pid("execution")) != pid else 0, within_s=20, every_s=0.01)
    os.kill(held, signal.SIGSTOP)
    told = dict(line.decode().split("=", 1) for line in lines)
    ours = {"HEALTH_PORT": "0", "POLL_MS": RARELY, "RECONCILE_S": "600"}
    told |= {f"GRIDKEEPER_EXECUTION_{name}": value for name, value in ours.items()}
    with (system.data_dir / "logs" / "execution-copy.out").open("wb") as out:
        copy = subprocess.Popen([sys.executable, "-m", "gridkeeper_execution"], env=told, stdout=out, stderr=out)
    try:
        yield
    finally:
        copy.kill()
        copy.wait()
        os.kill(held, signal.SIGCONT)


def _window_is_live(system: WholeSystem) -> bool:
    """Whether the venue holds just what the grid wants, each order once, at its price."""
    account, orders = system.account(), system.grid("live").orders
    if account.phase != "live" or account.in_flight or len(orders) != LIVE_ORDERS:
        return False
    held = sorted((order.side, order.price_e6) for order in system.venue_account().orders)
    return held == sorted((order.side, order.price_e6) for order in orders)


def _facts(system: WholeSystem, kind: type[e.Fact]) -> list[Any]:
    return [event.fact for event in system.events("execution_0") if isinstance(event.fact, kind)]


def _transaction(desk: Desk, signature: str) -> VersionedTransaction:
    options = {"encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    found = desk.sandbox.result("getTransaction", signature, options)
    return VersionedTransaction.from_bytes(base64.b64decode(found["transaction"][0]))


def _budget(transaction: VersionedTransaction) -> tuple[int, int]:
    """The compute units it asks for and the price of each (1e-6 lamports)."""
    units, price = (bytes(part.data) for part in transaction.message.instructions[:2])
    assert (units[0], price[0]) == (2, 3)
    return int.from_bytes(units[1:], "little"), int.from_bytes(price[1:], "little")
