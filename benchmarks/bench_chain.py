"""Measures the way to and from the chain without a network: the sandbox in the same process, on simulated time.

What is measured is our own work and the number of requests; what an endpoint adds is its latency and its limit.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from section import percentile, print_section, rate
from solders.keypair import Keypair

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from gridkeeper_core.venue.records import PlaceOrder, Roll
from gridkeeper_drift.codecs.user import decode_user, encode_user
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.sender import Landed
from gridkeeper_drift.venue import Account, DriftVenue
from gridkeeper_drift.walker import LogWalker
from support.in_memory import URL, InMemorySandbox
from support.simulated_time import run_simulated
from support.venue import order

OWNER = Signer(Keypair.from_seed(bytes([1] * 32)))
MISSED = (1_000, 10_000)
DECODES = 20_000
SIGNED = 500
NO_LIMIT = 1_000_000
IDLE_S = 600
T = TypeVar("T")


def main() -> None:
    """One section of RESULTS.md."""
    rows = [_catch_up(count) for count in MISSED]
    rows += [_decoding(), _signing(), _roll(), _idle()]
    print_section("To the chain and back", __doc__ or "", ("what", "result", "requests"), rows)


def _on_chain(story: Callable[[InMemorySandbox, DriftVenue], Awaitable[T]]) -> T:
    async def run() -> T:
        with tempfile.TemporaryDirectory() as folder:
            chain = InMemorySandbox(Path(folder) / "chain")
            chain.open_account(OWNER.keypair)
            chain.price(150)
            rpc = RpcClient(URL, commitment="confirmed", per_second=NO_LIMIT, transport=chain.transport)
            async with DriftVenue(rpc, [Account("main", OWNER.public_key, 0, OWNER)], market_indexes=[0]) as venue:
                await venue.prepare()
                try:
                    return await story(chain, venue)
                finally:
                    chain.close()

    return run_simulated(run())


async def _place_and_cancel(venue: DriftVenue, count: int) -> None:
    """So many transactions that name the account: one order each, cancelled by the next."""
    found = await venue.read_accounts()
    next_id = found["main"].next_order_id
    for number in range(count):
        if number % 20 == 0:  # a blockhash is good for ten seconds
            await venue.prepare(anew=True)
        cancels = (next_id + number - 1,) if number else ()
        place = order("buy", "120", user_order_id=1 + number % 200)
        await venue.send(venue.sign(_as_roll(cancels, (place,))))
        await asyncio.sleep(0.4)


def _as_roll(cancels: tuple[int, ...], places: tuple[PlaceOrder, ...]) -> Roll:
    return Roll(alias="main", purpose="bench", cancel_order_ids=cancels, places=places)


def _catch_up(count: int) -> tuple[str, str, str]:
    async def story(chain: InMemorySandbox, venue: DriftVenue) -> tuple[float, Counter[str], int]:
        await _place_and_cancel(venue, count)
        await asyncio.sleep(60)  # until all is final
        walker = LogWalker(venue.rpc, venue.accounts["main"].trader.user, OWNER.public_key)
        before = len(chain.transport.asked)
        began_s = time.perf_counter()
        walk = await walker.walk("")
        took_s = time.perf_counter() - began_s
        return took_s, Counter(method for _, method in chain.transport.asked[before:]), len(walk.transactions)

    took_s, asked, told = _on_chain(story)
    requests = ", ".join(f"{number:,} {method}" for method, number in asked.most_common())
    return (
        f"catch-up of {count:,} missed signatures ({told:,} told)",
        f"{took_s:.1f} s, the sandbox's answers included",
        requests,
    )


def _decoding() -> tuple[str, str, str]:
    async def story(_: InMemorySandbox, venue: DriftVenue) -> bytes:
        await venue.send(venue.sign(_as_roll((), tuple(order("buy", str(100 + n)) for n in range(20)))))
        await asyncio.sleep(5)
        return encode_user((await venue.poll()).users["main"])

    data = _on_chain(story)
    runs = []
    for _ in range(5):
        began_s = time.perf_counter()
        for _ in range(DECODES):
            decode_user(data)
        runs.append(time.perf_counter() - began_s)
    return "decoding a User account, per second", rate(DECODES, runs), "0"


def _signing() -> tuple[str, str, str]:
    async def story(_: InMemorySandbox, venue: DriftVenue) -> list[float]:
        took = []
        for run in range(SIGNED):
            # Another content each time: what is the same as before is signed again until it differs.
            places = tuple(order("buy", f"{100 + n}.{run:04}", user_order_id=1 + n) for n in range(16))
            began_s = time.perf_counter()
            venue.sign(_as_roll(tuple(range(1, 17)), places))
            took.append(time.perf_counter() - began_s)
        return took

    took = _on_chain(story)
    text = f"{percentile(took, 0.5) * 1e3:.2f} ms, 99 %: {percentile(took, 0.99) * 1e3:.2f} ms"
    return "intent to bytes ready to send: 16 cancels and 16 places built and signed", text, "0"


def _roll() -> tuple[str, str, str]:
    async def story(chain: InMemorySandbox, venue: DriftVenue) -> tuple[int, float, int]:
        places = [order("buy", str(100 + n), user_order_id=1 + n) for n in range(32)]
        for half in (places[:16], places[16:]):
            await venue.sender.deliver(venue.sign(_as_roll((), tuple(half))))
        await asyncio.sleep(20)
        ids = [resting.order_id for resting in (await venue.read_accounts())["main"].orders]
        before, began_s, count = len(chain.transport.asked), asyncio.get_running_loop().time(), 0
        for at in (0, 16):
            moved = tuple(order("buy", str(101 + n), user_order_id=101 + n) for n in range(at, at + 16))
            await venue.prepare(anew=True)
            outcome = await venue.sender.deliver(venue.sign(_as_roll(tuple(ids[at : at + 16]), moved)))
            assert isinstance(outcome, Landed), outcome
            assert outcome.error is None, outcome
            count += 1
        return count, asyncio.get_running_loop().time() - began_s, len(chain.transport.asked) - before

    count, took_s, requests = _on_chain(story)
    text = f"{count} transactions, {took_s:.1f} s of the chain's time (two confirmations, one after the other)"
    return "roll of a whole window: 32 cancelled, 32 placed", text, f"{requests}"


def _idle() -> tuple[str, str, str]:
    async def story(chain: InMemorySandbox, venue: DriftVenue) -> Counter[str]:
        keeping = asyncio.create_task(venue.sender.keep_ready())
        await venue.walk("main", "")
        before = len(chain.transport.asked)
        for _ in range(IDLE_S):
            if "main" in (await venue.poll()).changed:
                await venue.walk("main", "")
            await asyncio.sleep(1)
        keeping.cancel()
        return Counter(method for _, method in chain.transport.asked[before:])

    asked = _on_chain(story)
    minutes = IDLE_S / 60
    parts = ", ".join(f"{number / minutes:.0f} {method}" for method, number in asked.most_common())
    return (
        "an endpoint with idle accounts (up to 31 in one read), per minute",
        f"{sum(asked.values()) / minutes:.0f}",
        parts,
    )


if __name__ == "__main__":
    main()
