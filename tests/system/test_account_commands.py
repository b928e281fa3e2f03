"""What a person does with an account by command while its services trade on it, and what others do to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from gridkeeper_cli.account_file import read_account
from gridkeeper_core import events as e
from gridkeeper_drift.keys import make_key_file
from gridkeeper_drift.opening import AccountConfig, drift_venue
from gridkeeper_drift.owner import USER_RENT_LAMPORTS, USER_STATS_RENT_LAMPORTS
from gridkeeper_drift.sender import Landed
from support.order_log import OrderLog
from support.sandbox import running_sandbox
from support.venue import SOL, USD, order, roll
from support.whole_system import WholeSystem, command, running

pytestmark = pytest.mark.system

READY_WITHIN_S = 60.0
SAID = ("--yes", "--author", "ann", "--reason", "a test")
ROWS = [(150.1, 5.0), (149.8, 0.01), (149.7, 0.04), *[(149.8, 0.01)] * 600]
"""Once the market trades below the nearest buy, at 149.75, and less than that order is."""
GRID = """
[grid]
id = "example"
market = "SOL-PERP"
lower = "145"
upper = "155"
intervals = 40
spacing = "arithmetic"
size = { base = "0.1" }

[window]
live_orders = 10
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    """The demo's account with a grid on the demo's market, filled at least once."""
    data_dir = tmp_path_factory.mktemp("commands") / "data"
    (data_dir / "grids").mkdir(parents=True, mode=0o700)
    data_dir.chmod(0o700)
    (data_dir / "grids" / "example.toml").write_text(GRID)
    with running(data_dir) as started:
        started.until(lambda: started.grid("example").view.fills >= 2, within_s=90)
        yield started


def test_deposit_and_withdrawal_are_booked_from_their_records_and_trading_goes_on(system: WholeSystem) -> None:
    entry = account_entry(system)
    fund(system.run_file.rpc_url, entry["authority"], 1_000 * USD)
    before = system.account().deposit_e6
    owner = ("--owner-key", entry["signer"].removeprefix("file:"))
    for what, amount in (("deposit", "700"), ("withdraw", "200")):
        code, answer = system.command("account", what, "main", amount, *owner)
        assert code == 0, answer
    system.until(lambda: transfers(system) == [700 * USD, -200 * USD], within_s=30)
    after = system.reconcile()
    settled = sum(f.quote_e6 for f in facts(system, e.PnlSettled))
    assert (after.phase, after.differs, after.deposit_e6) == ("live", False, before + 500 * USD + settled)


def test_the_proof_of_an_account_that_was_made_and_paid_into_leaves_neither_quote_nor_sol_over(
    system: WholeSystem,
) -> None:
    code, answer = system.command("ledger", "proof")
    assert code == 0, answer
    (proof,) = answer["proofs"]
    quote = {term["name"]: term["quote"] for term in proof["terms"]}
    sol = {term["name"]: term for term in proof["sol"]["terms"]}
    assert (proof["residual"], proof["sol"]["residual_lamports"], quote["transfers"]) == ("0", 0, "500")
    assert (sol["rent"]["count"], sol["rent"]["lamports"]) == (1, -USER_RENT_LAMPORTS - USER_STATS_RENT_LAMPORTS)
    assert sol["fees"]["count"] > 2


def test_settling_by_command_says_what_was_settled(system: WholeSystem) -> None:
    code, answer = system.command("account", "settle", "main", *SAID)
    assert code == 0, answer
    ended = facts(system, e.SettlementEnded)
    assert len(ended) == len(facts(system, e.SettlementWanted)) == 1
    assert ended[0].error_code is None or ended[0].error_code >= 6000
    assert (system.reconcile().phase, system.account().differs) == ("live", False)


def test_reconciliation_never_repairs_by_inventing_a_fill(system: WholeSystem) -> None:
    """Somebody trades with the same key: booked as what it is, to no grid; the grid waits until a person adopts."""
    # On the side the grid is on: what would take its position away is another story.
    held_e9 = system.until(lambda: system.grid("example").view.position_e9, within_s=60)
    side: e.Side = "buy" if held_e9 > 0 else "sell"
    theirs_e9 = SOL // 2 if side == "buy" else -SOL // 2
    trade_behind_its_back(system, side)
    system.until(lambda: facts(system, e.ForeignFilled), within_s=30)
    system.until(lambda: any("FOREIGN_ACTION" in guard for guard in system.account().guards), within_s=30)
    (foreign,) = facts(system, e.ForeignFilled)
    assert (foreign.side, foreign.base_e9) == (side, SOL // 2)
    assert facts(system, e.FillProven) == []

    def is_told_apart() -> bool:
        """Orders of the grid rest and go on filling while it is asked."""
        log = OrderLog(system.events())
        ours, all_of_it = system.grid("example").view.position_e9, system.venue_account().positions[0].base_e9
        return ours == log.position_e9 == all_of_it - theirs_e9

    system.until(is_told_apart, within_s=30)

    code, answer = system.command("account", "adopt", "main", *SAID)
    assert code == 0, answer
    system.until(lambda: not system.account().guards and not system.account().differs, within_s=30)
    fills = system.grid("example").view.fills
    system.until(lambda: system.grid("example").view.fills > fills, within_s=60)


def test_an_order_of_somebody_else_is_shown_left_alone_and_cancelled_by_command(system: WholeSystem) -> None:
    code, answer = system.command("account", "reject", "main", *SAID)
    assert (code, answer["error"]["code"]) == (1, "NO_FOREIGN_ORDERS")
    order_id = rest_behind_its_back(system)
    system.until(lambda: system.reconcile().foreign_orders == (order_id,), within_s=30)
    code, answer = system.command("account", "reject", "main", *SAID)
    assert code == 0, answer
    system.until(lambda: not system.reconcile().foreign_orders, within_s=30)
    assert order_id not in [order.order_id for order in system.venue_account().orders]


def test_without_a_free_sub_account_nothing_is_made_and_the_reason_is_clear(tmp_path: Path) -> None:
    owner_key = tmp_path / "owner.json"
    owner = make_key_file(owner_key)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with running_sandbox(tmp_path / "chain", max_sub_accounts=1) as sandbox:
        fund(sandbox.url, str(owner), 1_000 * USD)
        entries = "".join(
            f'[accounts.{name}]\nrpc = "{sandbox.url}"\nauthority = "{owner}"\nsigner = "file:{owner_key}"\n'
            f"sub_account = {number}\nowner_key = true\n"
            for number, name in enumerate(("first", "second"))
        )
        (data_dir / "gridkeeper.toml").write_text(entries + '[feeds]\nSOL-PERP = "drift"\n')
        owner_option = ("--owner-key", str(owner_key))
        code, made = command(data_dir, "account", "create", "first", "--deposit", "100", *owner_option)
        assert code == 0, made
        code, refused = command(data_dir, "account", "create", "second", "--deposit", "100", *owner_option)
        assert (code, refused["error"]["code"]) == (1, "VENUE_REFUSED"), refused
        assert "MaxNumberOfUsers" in refused["error"]["value"]
        code, again = command(data_dir, "account", "deposit", "first", "900", *owner_option)
        assert code == 0, again


def test_a_partial_fill_and_then_a_cancel_lose_no_inventory(tmp_path: Path) -> None:
    """The order is cancelled with a part of it filled: that part stays in the cell, in the books and on the venue."""
    data_dir, tape = tmp_path / "data", tmp_path / "tape.csv"
    data_dir.mkdir(mode=0o700)
    rows = [f"{1_750_000_000_000 + 1_000 * n},{price},{size},sell" for n, (price, size) in enumerate(ROWS)]
    tape.write_text("\n".join(["ts_ms,price,size,side", *rows]) + "\n")
    (tmp_path / "example.toml").write_text(GRID)
    key = tmp_path / "key.json"
    (data_dir / "gridkeeper.toml").write_text(
        f'[accounts.main]\nauthority = "{make_key_file(key)}"\nsigner = "file:{key}"\nowner_key = true\n'
        f'[feeds]\nSOL-PERP = "replay:{tape}"\n[sandbox]\nfill_model = "queue"\n'
    )
    with running(data_dir, "--no-example", "--speed", "10", "--hold-after", "1") as system:
        system.until(lambda: system.tape().rows_out == 1 and system.account().phase == "live", within_s=60)
        code, answer = system.command("grid", "create", str(tmp_path / "example.toml"), *SAID)
        assert code == 0, answer
        system.until(lambda: 0 < system.grid("example").view.wanted_orders == system.account().open_orders, within_s=60)
        system.tape(4)
        system.until(lambda: system.grid("example").view.fills, within_s=30)
        code, answer = system.command("grid", "pause", "example", *SAID)
        assert code == 0, answer
        system.until(lambda: not system.account().open_orders and not system.account().in_flight, within_s=30)
        log = OrderLog(system.events())
        cut = [f for f in facts(system, e.OrderClosed) if f.reason == "cancelled" and f.filled_e9]
        assert cut
        assert log.position_e9 == sum(fill.base_e9 for fill in log.fills) < SOL // 10
        assert system.venue_account().positions[0].base_e9 == log.position_e9
        assert system.grid("example").view.position_e9 == log.position_e9
        code, books = system.command("ledger", "show", "example")
        assert code == 0, books
        assert round(float(books["grid"]["position"]) * SOL) == log.position_e9


def account_entry(system: WholeSystem) -> dict[str, Any]:
    """The account as the configuration file has it, with where its key is."""
    entry: dict[str, Any] = msgspec.to_builtins(read_account(system.data_dir, None, "main"))
    return entry


def facts(system: WholeSystem, kind: type[e.Fact]) -> list[Any]:
    """What execution recorded of a kind."""
    return [event.fact for event in system.events("execution_0") if isinstance(event.fact, kind)]


def transfers(system: WholeSystem) -> list[int]:
    return [fact.quote_e6 for fact in facts(system, e.Transferred)]


def fund(rpc_url: str, wallet: str, quote_e6: int) -> None:
    """The sandbox's faucet."""
    params = [wallet, {"lamports": 10**9, "quote_e6": quote_e6}]
    body = {"jsonrpc": "2.0", "id": 1, "method": "sandbox_fund", "params": params}
    connection = HTTPConnection(urlsplit(rpc_url).netloc, timeout=10)
    connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
    assert "result" in json.loads(connection.getresponse().read())
    connection.close()


def trade_behind_its_back(system: WholeSystem, side: e.Side) -> None:
    """Half a SOL at the market by the account's own key, that no service knows of."""
    price = "160" if side == "buy" else "140"
    taker = order(side, price, SOL // 2, post_only="none", immediate_or_cancel=True)
    asyncio.run(_land(system, taker))


def rest_behind_its_back(system: WholeSystem) -> int:
    """An order far away; the id the venue gave it."""
    asyncio.run(_land(system, order("buy", "120")))
    (order_id,) = (held.order_id for held in system.venue_account().orders if held.price_e6 == 120 * USD)
    return order_id


async def _land(system: WholeSystem, place: Any) -> None:
    entry = account_entry(system)
    config = AccountConfig("main", entry["authority"], entry.get("sub_account", 0), entry["signer"], owner_key=True)
    async with drift_venue(system.run_file.rpc_url, [config]) as venue:
        await venue.read_market("SOL-PERP", "main")
        await venue.prepare()
        signed = venue.sign(roll(place))
        await venue.send(signed)
        for _ in range(100):
            if isinstance(await venue.outcome(signed.signature, signed.last_valid_block_height), Landed):
                return
            await asyncio.sleep(0.1)
    raise AssertionError("it did not land")
