"""Fifty accounts on one endpoint that allows ten requests a second; counted where they arrive."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

from solders.keypair import Keypair

from gridkeeper_core.venue.records import Roll
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.schedule import Priority, RequestScheduler
from gridkeeper_drift.sender import Landed
from gridkeeper_drift.venue import Account, DriftVenue
from support.in_memory import URL, InMemorySandbox
from support.simulated_time import now_s, run_simulated
from support.venue import order

ACCOUNTS = 50
LIMIT = 10
OWNERS = [Signer(Keypair.from_seed(number.to_bytes(32, "big"))) for number in range(1, ACCOUNTS + 1)]


def roll(alias: str) -> Roll:
    return Roll(alias=alias, purpose="test", cancel_order_ids=(), places=(order("buy", "149", user_order_id=1),))


def busiest_second(asked: list[tuple[float, str]]) -> int:
    """The most requests in any stretch of one second."""
    times = sorted(at for at, _ in asked)
    return max(bisect_left(times, at + 1) - place for place, at in enumerate(times))


def test_fifty_accounts_stay_under_ten_requests_a_second_and_all_trade(tmp_path: Path) -> None:
    async def story() -> tuple[int, float, int, int]:
        async with _fifty(tmp_path) as (chain, rpc, venue):
            await venue.prepare()
            looking = asyncio.create_task(_look_for_ever(venue))
            began_s = now_s()
            signed = {alias: venue.sign(roll(alias)) for alias in venue.accounts}
            await asyncio.gather(*(venue.send(one) for one in signed.values()))
            sent_s = now_s() - began_s
            flights = {one.signature: one.last_valid_block_height for one in signed.values()}
            await _until_landed(venue, flights)
            await asyncio.sleep(60)
            looking.cancel()
            found = await venue.read_accounts()
            orders = sum(len(account.orders) for account in found.values())
            return busiest_second(chain.transport.asked), sent_s, orders, rpc.endpoints[0].refused_for_load

    busiest, sent_s, orders, refused = run_simulated(story())
    assert (busiest <= LIMIT, orders, refused) == (True, ACCOUNTS, 0), busiest
    # Fifty sends at eight a second are six seconds; reading in between does not hold them up.
    assert sent_s < 7


def test_fifty_idle_accounts_cost_two_requests_a_look(tmp_path: Path) -> None:
    async def story() -> int:
        async with _fifty(tmp_path) as (chain, _, venue):
            await venue.poll()
            before = len(chain.transport.asked)
            assert set(await venue.read_accounts()) == {f"a{n}" for n in range(ACCOUNTS)}
            return len(chain.transport.asked) - before

    assert run_simulated(story()) == 2


def test_no_second_sees_more_than_the_rate_even_after_a_rest() -> None:
    async def story() -> list[float]:
        scheduler, times = RequestScheduler(8, 2), []
        for rest_s in (0, 30):
            await asyncio.sleep(rest_s)
            for _ in range(40):
                await scheduler.turn(Priority.READ)
                times.append(now_s())
        return times

    times = run_simulated(story())
    assert busiest_second([(at, "") for at in times]) <= LIMIT
    assert all(later >= earlier for earlier, later in pairwise(times))


@asynccontextmanager
async def _fifty(folder: Path) -> AsyncIterator[tuple[InMemorySandbox, RpcClient, DriftVenue]]:
    chain = InMemorySandbox(folder / "chain")
    try:
        for owner in OWNERS:
            chain.open_account(owner.keypair)
        chain.price(150)
        rpc = RpcClient(URL, commitment="confirmed", per_second=LIMIT, transport=chain.transport)
        accounts = [Account(f"a{n}", owner.public_key, 0, owner) for n, owner in enumerate(OWNERS)]
        async with DriftVenue(rpc, accounts, market_indexes=[0]) as venue:
            yield chain, rpc, venue
    finally:
        chain.close()


async def _until_landed(venue: DriftVenue, flights: dict[str, int]) -> None:
    for _ in range(100):
        if all(isinstance(found, Landed) for found in (await venue.outcomes(flights)).values()):
            return
        await asyncio.sleep(0.5)
    raise AssertionError("not all landed")


async def _look_for_ever(venue: DriftVenue) -> None:
    """What execution does: reads all accounts each second, and walks those that changed."""
    while True:
        found = await venue.poll()
        for alias in sorted(found.changed):
            await venue.walk(alias, "")
        await asyncio.sleep(1)
