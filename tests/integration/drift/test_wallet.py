"""A wallet's SOL on a real sandbox: every lamport between two readings belongs to a transaction that is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from gridkeeper_core.events import SolMoved
from gridkeeper_drift import wallet_walker
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.owner import USER_RENT_LAMPORTS, USER_STATS_RENT_LAMPORTS, OwnerDesk
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.venue import Account, DriftVenue
from gridkeeper_drift.wallet_walker import WalletReading
from gridkeeper_sandbox.world import faucet
from support.in_memory import URL, InMemorySandbox
from support.simulated_time import run_simulated
from support.venue import SOL, USD, order, roll

OWNER = Signer(Keypair.from_seed(bytes([1] * 32)))
WALLET = str(OWNER.public_key)
FINAL_S = 15.0


@contextmanager
def a_chain(folder: Path) -> Iterator[InMemorySandbox]:
    chain = InMemorySandbox(folder / "chain")
    try:
        chain.price(150)
        yield chain
    finally:
        chain.close()


class LaggingList(httpx.AsyncBaseTransport):
    """The first so many answers hold no signature."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, answers: int) -> None:
        self._inner = inner
        self.answers = answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if asked["method"] != "getSignaturesForAddress" or not self.answers:
            return await self._inner.handle_async_request(request)
        self.answers -= 1
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": asked["id"], "result": []})


def venue_on(
    chain: InMemorySandbox, *sub_accounts: int, transport: httpx.AsyncBaseTransport | None = None
) -> DriftVenue:
    rpc = RpcClient(URL, commitment="confirmed", transport=transport or chain.transport)
    names = {0: "main", 1: "second"}
    accounts = [Account(names[number], OWNER.public_key, number, OWNER) for number in sub_accounts or (0,)]
    return DriftVenue(rpc, accounts, market_indexes=[0])


def kinds(reading: WalletReading) -> list[str]:
    return [move.kind for move in reading.moves]


def explained(before: WalletReading, after: WalletReading) -> int:
    """What the balance changed by beside what is told; each move begins where the one before it ended."""
    held = before.lamports
    for move in after.moves:
        assert move.before_lamports == held
        held = move.after_lamports
    return after.lamports - held


def test_rent_fees_gifts_and_failures_are_told_to_the_lamport(tmp_path: Path) -> None:
    async def story() -> tuple[WalletReading, WalletReading]:
        with a_chain(tmp_path) as chain:
            chain.sandbox.fund(OWNER.public_key, 10**9, 1_000 * USD)
            async with venue_on(chain) as venue:
                first = await venue.read_wallet(WALLET, None)
                desk = OwnerDesk(venue, "main")
                await desk.create("Main", 400 * USD)
                await desk.deposit(100 * USD)
                await desk.withdraw(50 * USD)
                chain.sandbox.fund(OWNER.public_key, 7_000, 0)
                await asyncio.sleep(FINAL_S)
                second = await venue.read_wallet(WALLET, first.cursor, first.lamports)
        return first, second

    first, second = run_simulated(story())
    assert kinds(second) == ["rent_paid", "fee", "fee", "airdrop"]
    assert explained(first, second) == 0
    created = second.moves[0]
    rent = USER_RENT_LAMPORTS + USER_STATS_RENT_LAMPORTS
    assert created.before_lamports - created.after_lamports == rent + created.fee_lamports + created.priority_lamports
    assert second.moves[3].fee_lamports == 0


def test_what_is_not_final_is_told_later_and_once(tmp_path: Path) -> None:
    async def story() -> list[WalletReading]:
        with a_chain(tmp_path) as chain:
            chain.open_account(OWNER.keypair)
            async with venue_on(chain) as venue:
                readings = [await venue.read_wallet(WALLET, None)]
                await OwnerDesk(venue, "main").deposit(1 * USD)
                for wait_s in (0.0, FINAL_S, 1.0):
                    await asyncio.sleep(wait_s)
                    readings.append(await venue.read_wallet(WALLET, readings[-1].cursor, readings[-1].lamports))
        return readings

    first, early, final, last = run_simulated(story())
    assert [len(reading.moves) for reading in (first, early, final, last)] == [0, 0, 1, 0]
    assert early.lamports == first.lamports
    assert explained(early, final) == 0


def test_a_list_that_lags_behind_the_balance_is_asked_for_again(tmp_path: Path) -> None:
    """Behind one address answer many nodes, and one of them may not have heard of the newest transaction."""

    async def story() -> tuple[WalletReading, WalletReading]:
        with a_chain(tmp_path) as chain:
            chain.sandbox.fund(OWNER.public_key, 10**9, 0)
            async with venue_on(chain, transport=LaggingList(chain.transport, answers=2)) as venue:
                first = await venue.read_wallet(WALLET, None)
                chain.sandbox.fund(OWNER.public_key, 7_000, 0)
                second = await venue.read_wallet(WALLET, first.cursor, first.lamports)
        return first, second

    first, second = run_simulated(story())
    assert first.lamports == 10**9
    assert first.cursor
    assert [move.after_lamports for move in second.moves] == [10**9 + 7_000]
    assert explained(first, second) == 0


def test_a_list_that_lags_behind_a_later_balance_is_asked_for_again_too(tmp_path: Path) -> None:
    async def story() -> tuple[WalletReading, WalletReading]:
        with a_chain(tmp_path) as chain:
            chain.sandbox.fund(OWNER.public_key, 10**9, 0)
            lagging = LaggingList(chain.transport, answers=0)
            async with venue_on(chain, transport=lagging) as venue:
                first = await venue.read_wallet(WALLET, None)
                chain.sandbox.fund(OWNER.public_key, 7_000, 0)
                lagging.answers = 2
                second = await venue.read_wallet(WALLET, first.cursor, first.lamports)
        return first, second

    first, second = run_simulated(story())
    assert kinds(second) == ["airdrop"]
    assert explained(first, second) == 0


def test_a_wallet_that_only_pays_for_orders_costs_two_requests_a_reading(tmp_path: Path) -> None:
    async def story() -> tuple[list[str], WalletReading]:
        with a_chain(tmp_path) as chain:
            chain.open_account(OWNER.keypair)
            async with venue_on(chain, 0) as venue:
                first = await venue.read_wallet(WALLET, None)
                await venue.prepare()
                cursor = (await venue.walk("main", "")).cursor
                for number in range(3):
                    await venue.prepare(anew=True)
                    signed = venue.sign(roll(order("buy", str(140 - number))))
                    await venue.send(signed)
                    await asyncio.sleep(2)
                    cursor = (await venue.walk("main", cursor)).cursor
                await asyncio.sleep(FINAL_S)
                asked = len(chain.transport.asked)
                reading = await venue.read_wallet(WALLET, first.cursor, first.lamports)
                methods = [method for _, method in chain.transport.asked[asked:]]
        return methods, reading

    methods, reading = run_simulated(story())
    assert methods == ["getBalance", "getSignaturesForAddress"]
    assert kinds(reading) == ["fee", "fee", "fee"]


def test_a_reading_of_very_much_ends_at_the_balance_after_its_last_transaction(tmp_path: Path) -> None:
    async def story() -> list[WalletReading]:
        with a_chain(tmp_path) as chain:
            chain.sandbox.fund(OWNER.public_key, 10**9, 0)
            async with venue_on(chain) as venue:
                readings = [await venue.read_wallet(WALLET, None)]
                for _ in range(wallet_walker.MOVES_MAX + 5):
                    chain.sandbox.fund(OWNER.public_key, 1_000, 0)
                for _ in range(2):
                    readings.append(await venue.read_wallet(WALLET, readings[-1].cursor, readings[-1].lamports))
        return readings

    first, second, third = run_simulated(story())
    assert [len(reading.moves) for reading in (second, third)] == [wallet_walker.MOVES_MAX, 5]
    assert explained(first, second) == explained(second, third) == 0


def test_two_accounts_with_one_signer_are_one_wallet(tmp_path: Path) -> None:
    async def story() -> dict[str, tuple[str, ...]]:
        with a_chain(tmp_path) as chain:
            async with venue_on(chain, 0, 1) as venue:
                wallets = venue.wallets()
        return wallets

    assert run_simulated(story()) == {WALLET: ("main", "second")}


def test_the_faucet_of_the_sandbox_is_known_by_its_address() -> None:
    assert Pubkey.from_string(wallet_walker.SANDBOX_FAUCET) == faucet().pubkey()


def test_a_failed_transaction_costs_its_fee(tmp_path: Path) -> None:
    async def story() -> tuple[WalletReading, WalletReading]:
        with a_chain(tmp_path) as chain:
            chain.open_account(OWNER.keypair)
            async with venue_on(chain) as venue:
                first = await venue.read_wallet(WALLET, None)
                await venue.prepare()
                await venue.send(venue.sign(roll(order("buy", "140", 10**6 * SOL))))
                await asyncio.sleep(FINAL_S)
                second = await venue.read_wallet(WALLET, first.cursor, first.lamports)
        return first, second

    first, second = run_simulated(story())
    assert [move.kind for move in second.moves] == ["fee"]
    assert _cost(second.moves[0]) == first.lamports - second.lamports > 0


def _cost(move: SolMoved) -> int:
    return move.fee_lamports + move.priority_lamports
