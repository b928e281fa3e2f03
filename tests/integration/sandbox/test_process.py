"""The sandbox as a process: unmodified driftpy trades on it, a kill loses nothing, and NATS drives it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from solders.keypair import Keypair

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.prices import announce_clock, publish_price
from gridkeeper_bus.requests import request
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import Band, MarketRows, MarketTaken, Quiet, market_subject, quiet_subject
from gridkeeper_core.venue.records import FillRecord, Roll
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.sender import Landed
from gridkeeper_drift.venue import Account, DriftVenue
from support.sandbox import RunningSandbox, running_sandbox
from support.servers import RunningNats
from support.venue import START_NS, order, row

SESSION = Path(__file__).parents[2] / "support" / "driftpy_session.py"
KEYPAIR = Keypair.from_seed(bytes(range(32)))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "chain") as running:
        yield running


def venue_on(running: RunningSandbox) -> DriftVenue:
    account = Account("main", KEYPAIR.pubkey(), 0, Signer(KEYPAIR))
    return DriftVenue(RpcClient(running.url, commitment="confirmed"), [account], market_indexes=[0])


async def opened(running: RunningSandbox) -> None:
    """A funded sub-account and a first price."""
    running.fund(KEYPAIR.pubkey())
    running.price(150, 1)
    running.open_account(KEYPAIR)


def roll(*places: Any, cancels: tuple[int, ...] = ()) -> Roll:
    return Roll(alias="main", purpose="test", cancel_order_ids=cancels, places=places)


async def do(venue: DriftVenue, what: Roll) -> Landed:
    await venue.prepare(anew=True)
    signed = venue.sign(what)
    await venue.send(signed)
    outcome = await venue.outcome(signed.signature, signed.last_valid_block_height)
    assert isinstance(outcome, Landed)
    return outcome


async def driftpy(running: RunningSandbox, mode: str, *what: str) -> dict[str, Any]:
    """What a session of driftpy saw."""
    command = [sys.executable, str(SESSION), running.url, mode, KEYPAIR.to_json(), *what]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return seen


@pytest.mark.parametrize("mode", ["cached", "polling", "websocket"])
async def test_unmodified_driftpy_places_reads_back_cancels_and_hears_events(
    sandbox: RunningSandbox, mode: str
) -> None:
    await opened(sandbox)
    seen = await driftpy(sandbox, mode)
    assert seen["prices"] == [usd * 10**6 for usd in (136, 138, 140, 161, 163, 165)]
    assert sorted(seen["order_records"]) == [1, 2, 3, 4, 5, 6]
    assert seen["oracle"] == 150 * 10**6
    # The margin of the worse side, 0.3 SOL at 150 and 10 %, and a cent for each of the six orders.
    assert seen["free_collateral"] == 1_000_000_000 - 4_500_000 - 60_000


async def test_unmodified_driftpy_modifies_an_order_and_is_refused_one_that_is_gone(sandbox: RunningSandbox) -> None:
    await opened(sandbox)
    told = await driftpy(sandbox, "cached", "modify")
    first, second = [3, 1, 139_000_000, 10**8], [4, 3, 138_000_000, 2 * 10**8]
    untouched = [2, 3, 138_000_000, 10**8]
    assert [sorted(orders) for orders in told["seen"]] == [[untouched, first], [first, second], [first, second]]
    assert "OrderDoesNotExist" in told["refusal"]


async def test_a_kill_loses_neither_orders_nor_fills_nor_transactions(sandbox: RunningSandbox) -> None:
    await opened(sandbox)
    async with venue_on(sandbox) as venue:
        await do(venue, roll(order("buy", "149", user_order_id=1), order("sell", "151", user_order_id=2)))
        sandbox.price(148, 2)
        before, walk_before = (await venue.read_accounts())["main"], await venue.walk("main", "")
        sandbox.kill()
        sandbox.start()
        after = (await venue.read_accounts())["main"]
        assert msgspec.structs.replace(after, slot=before.slot) == before
        assert [placed.order_id for placed in after.orders] == [2]
        async with venue_on(sandbox) as restarted:
            walk_after = await restarted.walk("main", "")
        told = [(seen.signature, seen.slot, seen.records) for seen in walk_after.transactions]
        assert told == [(seen.signature, seen.slot, seen.records) for seen in walk_before.transactions]
        await do(venue, roll(order("buy", "147"), cancels=(2,)))
        assert [placed.order_id for placed in (await venue.read_accounts())["main"].orders] == [3]


async def test_a_second_sandbox_cannot_take_the_same_folder(sandbox: RunningSandbox, tmp_path: Path) -> None:
    other = RunningSandbox(tmp_path / "chain")
    with pytest.raises(AssertionError, match="ended at its start"):
        other.start()


async def test_the_websocket_tells_accounts_logs_and_signatures(sandbox: RunningSandbox) -> None:
    await opened(sandbox)
    async with venue_on(sandbox) as venue, aiohttp.ClientSession() as session:
        user = str(Account("main", KEYPAIR.pubkey(), 0, Signer(KEYPAIR)).trader.user)
        async with session.ws_connect(f"ws://127.0.0.1:{sandbox.port + 1}/") as socket:
            wishes = {
                "accountSubscribe": [user, {"encoding": "base64", "commitment": "confirmed"}],
                "logsSubscribe": [{"mentions": [user]}, {"commitment": "confirmed"}],
                "slotSubscribe": [],
            }
            for number, (method, params) in enumerate(wishes.items()):
                await socket.send_json({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
                answer = await socket.receive_json(timeout=10)
                assert answer["id"] == number, answer
            landed = await do(venue, roll(order("buy", "149")))
            heard: dict[str, Any] = {}
            while not {"accountNotification", "logsNotification", "slotNotification"} <= heard.keys():
                message = await socket.receive_json(timeout=10)
                heard[message["method"]] = message["params"]["result"]
            assert heard["logsNotification"]["context"]["slot"] >= landed.slot
            assert heard["logsNotification"]["value"]["err"] is None


async def until_ready(bus: Bus) -> Quiet:
    async with asyncio.timeout(20):
        while True:
            try:
                return await quiet(bus)
            except GridkeeperError:
                await asyncio.sleep(0.05)


async def quiet(bus: Bus) -> Quiet:
    return msgspec.json.decode(await request(bus, quiet_subject(0, "sandbox")), type=Quiet)


async def test_in_lockstep_nats_moves_clock_and_market(nats_server: RunningNats, tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "chain", nats_url=nats_server.url, lockstep="true") as running:
        bus = await connect(nats_server.url, "driver")
        await until_ready(bus)

        async def trade(*prices: float) -> MarketTaken:
            rows = tuple(row(price, seq, at_s=seq) for seq, price in enumerate(prices, start=taken.last_seq + 1))
            body = msgspec.json.encode(MarketRows(now_ns=rows[-1].ts_ns, rows=rows))
            return msgspec.json.decode(await request(bus, market_subject("SOL-PERP"), body), type=MarketTaken)

        taken = MarketTaken(last_seq=0, records=0)
        await announce_clock(bus, START_NS)
        taken = await trade(150.0)
        assert (taken.last_seq, taken.records) == (1, 0)
        running.fund(KEYPAIR.pubkey())
        async with venue_on(running) as venue:
            running.open_account(KEYPAIR)
            await do(venue, roll(order("buy", "149"), order("sell", "151")))
            answer = await quiet(bus)
            assert answer.band is not None
            assert answer.band["SOL-PERP"] == Band(149_000_000, 151_000_000)
            taken = await trade(150.5, 149.5, 148.0)
            assert (taken.last_seq, taken.records) == (4, 1)
            assert (await quiet(bus)).now_ns == row(1, 4).ts_ns
            walked = (await venue.walk("main", "")).transactions
            assert all(seen.finalized for seen in walked)
            assert [type(record) for record in walked[-1].records] == [FillRecord]
        await bus.close()


async def test_a_running_feed_s_prices_fill_orders(nats_server: RunningNats, tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "chain", nats_url=nats_server.url) as running:
        await opened(running)
        bus = await connect(nats_server.url, "feed")
        async with venue_on(running) as venue:
            await do(venue, roll(order("buy", "149")))
            await publish_price(bus, now(row(148, 2)))
            async with asyncio.timeout(20):
                while True:
                    account = (await venue.read_accounts())["main"]
                    if not account.orders:
                        break
                    await asyncio.sleep(0.05)
        assert account.positions[0].base_e9 == 10**8
        await bus.close()


def now(price: Price) -> Price:
    return msgspec.structs.replace(price, ts_ns=time.time_ns())
