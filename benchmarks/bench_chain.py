"""Measures the way to and from the chain without a network: the sandbox in the same process, on simulated time.

What is measured is our own work and the number of requests; an endpoint adds its latency and its limit. What the
sandbox needs to answer is taken off. *Intent to send* begins when execution gets what a grid wants, and ends when the
request with the signed bytes leaves: slots, the risk gate, building, signing, and encoding the events are inside, the
commit is not. *The chain's time* passes as on a chain of 0.4 s slots that confirms after two.
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

from gridkeeper_core.events import OrdersWanted
from gridkeeper_core.inputs import EventSeen, Input, PauseGrid, ResumeGrid
from gridkeeper_core.machine import Draft
from gridkeeper_core.venue.records import PlaceOrder, Roll
from gridkeeper_drift.codecs.user import decode_user, encode_user
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.sender import Landed
from gridkeeper_drift.venue import Account, DriftVenue
from gridkeeper_drift.walker import LogWalker
from support.in_memory import URL, InMemorySandbox
from support.memory_system import KEYPAIR, MemoryLog, MemorySystem, grid
from support.simulated_time import run_simulated
from support.venue import order

OWNER = Signer(Keypair.from_seed(bytes([1] * 32)))
MISSED = (1_000, 10_000)
DECODES = 20_000
SIGNED = 500
RESUMED = 60
NO_LIMIT = 1_000_000
IDLE_S = 600
IDLE_ACCOUNTS = 50
OUTCOME_EVERY_S = 0.4
PRICE = 150.1
T = TypeVar("T")


def main() -> None:
    """One section of RESULTS.md; with a number as argument, so many missed signatures only."""
    missed = (int(sys.argv[1]),) if len(sys.argv) > 1 else MISSED
    rows = [_catch_up(count) for count in missed]
    rows += [_decoding(), _signing(), _intent_to_send(), _roll(), _idle_account(), _idle_accounts()]
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
        before, answering_s = len(chain.transport.asked), chain.transport.answering_s
        began_s = time.perf_counter()
        walk = await walker.walk("")
        took_s = time.perf_counter() - began_s - (chain.transport.answering_s - answering_s)
        return took_s, Counter(method for _, method in chain.transport.asked[before:]), len(walk.transactions)

    took_s, asked, told = _on_chain(story)
    return (
        f"catch-up of {count:,} missed signatures ({told:,} told)",
        f"{took_s:.2f} s of our own work, {took_s / told * 1e3:.2f} ms each",
        _each(asked),
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

    return "building and signing 16 cancels and 16 places", _spread(_on_chain(story)), "0"


def _intent_to_send() -> tuple[str, str, str]:
    """A grid of sixteen orders is paused and resumed again and again, so that each time all of it is wanted at once."""

    async def story(system: MemorySystem) -> tuple[list[float], Counter[str]]:
        watch = _Watch(system)
        system.price(PRICE)
        system.propose(grid(live_orders=16))
        for _ in range(RESUMED):
            await _until(system, lambda: len(system.account.attempts) == 16)
            system.command("grid:tale", PauseGrid())
            await _until(system, lambda: not system.account.attempts)
            watch.is_on = True
            system.command("grid:tale", ResumeGrid())
        return watch.took, Counter({"sendTransaction": 1})

    took, asked = _with_services(story)
    return "intent to send: 16 orders wanted to the request on its way", _spread(took), _each(asked)


class _Watch:
    """Measures from the moment execution is given what is wanted, while `is_on`, to the next `sendTransaction`."""

    def __init__(self, system: MemorySystem) -> None:
        self.took: list[float] = []
        self.is_on = False
        self._began_s = 0.0
        self._accept = system.execution.accept
        system.execution.accept = self._accepted  # type: ignore[method-assign]
        system.chain.transport.on_request = self._heard

    def _accepted(self, item: Input) -> list[Draft]:
        if self.is_on and isinstance(item, EventSeen) and isinstance(item.event.fact, OrdersWanted):
            self._began_s = time.perf_counter()
        return self._accept(item)

    def _heard(self, method: str) -> None:
        if self.is_on and self._began_s and method == "sendTransaction":
            self.took.append(time.perf_counter() - self._began_s)
            self.is_on, self._began_s = False, 0.0


def _with_services(story: Callable[[MemorySystem], Awaitable[T]]) -> T:
    async def run() -> T:
        with tempfile.TemporaryDirectory() as folder:
            chain = InMemorySandbox(Path(folder) / "chain")
            chain.open_account(KEYPAIR)
            chain.price(PRICE)
            await asyncio.sleep(15)
            system = MemorySystem(chain, MemoryLog(), reconcile_s=60.0)
            await system.start()
            try:
                await asyncio.sleep(5)
                return await story(system)
            finally:
                await system.crash()
                chain.close()

    return run_simulated(run())


async def _until(system: MemorySystem, what: Callable[[], bool]) -> None:
    """With a price each second; nothing is placed on an old one."""
    for _ in range(120):
        system.price(PRICE)
        await asyncio.sleep(1)
        if what() and not system.account.flights:
            return
    raise AssertionError("it never settles")


def _roll() -> tuple[str, str, str]:
    async def story(chain: InMemorySandbox, venue: DriftVenue) -> tuple[int, float, int]:
        places = [order("buy", str(100 + n), user_order_id=1 + n) for n in range(32)]
        for half in (places[:16], places[16:]):
            await _landed(venue, _as_roll((), tuple(half)))
        await asyncio.sleep(20)
        ids = [resting.order_id for resting in (await venue.read_accounts())["main"].orders]
        await venue.prepare(anew=True)
        before, began_s, count = len(chain.transport.asked), asyncio.get_running_loop().time(), 0
        for at in (0, 16):
            moved = tuple(order("buy", str(101 + n), user_order_id=101 + n) for n in range(at, at + 16))
            await _landed(venue, _as_roll(tuple(ids[at : at + 16]), moved))
            count += 1
        return count, asyncio.get_running_loop().time() - began_s, len(chain.transport.asked) - before

    count, took_s, requests = _on_chain(story)
    text = f"{count} transactions, {took_s:.1f} s of the chain's time (the second is sent when the first is confirmed)"
    return "roll of a whole window: 32 cancelled, 32 placed", text, f"{requests}"


async def _landed(venue: DriftVenue, roll: Roll) -> None:
    """Sent, and asked for as often as execution does."""
    signed = venue.sign(roll)
    await venue.send(signed)
    for _ in range(100):
        await asyncio.sleep(OUTCOME_EVERY_S)
        found = await venue.outcome(signed.signature, signed.last_valid_block_height)
        if isinstance(found, Landed):
            assert found.error is None, found
            return
    raise AssertionError("it did not land")


def _idle_account() -> tuple[str, str, str]:
    async def story(system: MemorySystem) -> Counter[str]:
        before = len(system.chain.transport.asked)
        for _ in range(IDLE_S):
            system.price(PRICE)
            await asyncio.sleep(1)
        return Counter(method for _, method in system.chain.transport.asked[before:])

    return _per_minute("an idle account, per minute", _with_services(story))


def _idle_accounts() -> tuple[str, str, str]:
    """Only what reading them costs; the blockhash and the rest are per endpoint."""

    async def story(chain: InMemorySandbox, venue: DriftVenue) -> Counter[str]:
        owners = [Signer(Keypair.from_seed(number.to_bytes(32, "big"))) for number in range(1, IDLE_ACCOUNTS + 1)]
        for owner in owners:
            chain.open_account(owner.keypair)
        accounts = [Account(f"a{number}", owner.public_key, 0, owner) for number, owner in enumerate(owners)]
        many = DriftVenue(venue.rpc, accounts, market_indexes=[0])
        for alias in (await many.poll()).changed:
            await many.walk(alias, "")
        before = len(chain.transport.asked)
        for _ in range(IDLE_S):
            assert not (await many.poll()).changed
            await asyncio.sleep(1)
        return Counter(method for _, method in chain.transport.asked[before:])

    return _per_minute(f"reading {IDLE_ACCOUNTS} idle accounts, per minute", _on_chain(story))


def _per_minute(what: str, asked: Counter[str]) -> tuple[str, str, str]:
    minutes = IDLE_S / 60
    parts = ", ".join(f"{number / minutes:.1f} {method}" for method, number in asked.most_common())
    return what, f"{sum(asked.values()) / minutes:.0f}", parts


def _each(asked: Counter[str]) -> str:
    return ", ".join(f"{number:,} {method}" for method, number in asked.most_common())


def _spread(took: list[float]) -> str:
    half, most = (percentile(took, share) * 1e3 for share in (0.5, 0.99))
    return f"{half:.2f} ms, 99 %: {most:.2f} ms (of {len(took)})"


if __name__ == "__main__":
    main()
