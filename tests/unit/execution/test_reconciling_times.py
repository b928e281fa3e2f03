"""When execution compares record and venue, and when it looks again at a market that stopped placing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from solders.keypair import Keypair
from solders.message import MessageV0
from solders.signature import Signature

from gridkeeper_core.inputs import AccountRead, Input
from gridkeeper_core.machine import Draft
from gridkeeper_drift.failure import SignerRefusedError
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.owner import OwnerDesk
from support.in_memory import InMemorySandbox
from support.memory_system import ALIAS, KEYPAIR, MemoryLog, MemorySystem, grid
from support.simulated_time import now_s, run_simulated

MINUTE_S = 60.0
SOON_S = 5.0
"""A look comes each second, and a request may be asked again."""
T = TypeVar("T")


def test_record_and_venue_are_compared_at_the_boot_and_each_minute(tmp_path: Path) -> None:
    async def story(system: MemorySystem, read_s: list[float]) -> tuple[float, list[float]]:
        began_s = now_s()
        await asyncio.sleep(5 * MINUTE_S)
        return began_s, list(read_s)

    began_s, read_s = run_simulated(_with_system(tmp_path, story))
    assert read_s[0] < began_s
    assert len(read_s) >= 5
    assert all(MINUTE_S <= later - earlier < MINUTE_S + SOON_S for earlier, later in pairwise(read_s[1:]))


def test_after_a_reconnect_they_are_compared_at_once(tmp_path: Path) -> None:
    async def story(system: MemorySystem, read_s: list[float]) -> tuple[float, list[float]]:
        await asyncio.sleep(MINUTE_S / 2)
        system.chain.transport.down = True
        await asyncio.sleep(SOON_S)
        system.chain.transport.down = False
        back_s = now_s()
        await asyncio.sleep(MINUTE_S / 3)
        return back_s, [at for at in read_s if at > back_s - SOON_S]

    back_s, read_s = run_simulated(_with_system(tmp_path, story))
    assert len(read_s) == 1
    assert back_s < read_s[0] < back_s + 3 * SOON_S  # an endpoint that was away rests for a moment first


def test_another_delegate_is_noticed_within_seconds(tmp_path: Path) -> None:
    async def story(system: MemorySystem, read_s: list[float]) -> tuple[float, list[float]]:
        await asyncio.sleep(MINUTE_S / 4)
        await OwnerDesk(system.venue, ALIAS).set_delegate(Keypair.from_seed(bytes(32)).pubkey())
        landed_s = now_s()
        await asyncio.sleep(MINUTE_S / 4)
        return landed_s, [at for at in read_s if at > landed_s - SOON_S]

    landed_s, read_s = run_simulated(_with_system(tmp_path, story))
    assert len(read_s) == 1
    assert read_s[0] < landed_s + SOON_S


def test_a_market_that_stopped_placing_is_soon_looked_at_again(tmp_path: Path) -> None:
    """Nobody prices the oracle for a minute, and it is stale at the boot; then the market goes on."""

    async def story(system: MemorySystem, read_s: list[float]) -> tuple[int, float]:
        system.price(150.1)
        system.propose(grid())
        await asyncio.sleep(SOON_S)
        await system.crash()
        await asyncio.sleep(MINUTE_S)
        await system.start()
        await asyncio.sleep(SOON_S)
        guards, back_s = len(system.account.guards), now_s()
        while system.account.guards and now_s() < back_s + MINUTE_S:
            system.price(150.1)
            await asyncio.sleep(1)
        return guards, now_s() - back_s

    guards, took_s = run_simulated(_with_system(tmp_path, story))
    assert guards == 1
    assert took_s < 3 * SOON_S


def test_an_account_that_does_not_exist_keeps_no_other_from_trading(tmp_path: Path) -> None:
    async def story(system: MemorySystem, _: list[float]) -> tuple[int, str]:
        system.price(150.1)
        system.propose(grid())
        await asyncio.sleep(SOON_S)
        system.price(150.1)
        await asyncio.sleep(SOON_S)
        open_orders = sum(1 for attempt in system.account.attempts.values() if attempt.order_id is not None)
        return open_orders, system.desk.trouble

    absent = Keypair.from_seed(bytes(32))
    open_orders, trouble = run_simulated(_with_system(tmp_path, story, absent=absent))
    assert open_orders > 0
    assert "absent" in trouble, "and what is missing is said"


class MoodySigner(Signer):
    """Refuses while it is told to, as an agent does whose bands an order is outside of."""

    refuses = False

    def sign(self, message: MessageV0) -> Signature:
        if MoodySigner.refuses:
            raise SignerRefusedError("agent.sock", "The signing agent refused: 0.1 SOL at 145 is outside of its band.")
        return super().sign(message)


def test_orders_that_the_signer_refuses_do_not_wait_in_silence(tmp_path: Path) -> None:
    async def story(system: MemorySystem, _: list[float]) -> list[list[str]]:
        told = []
        for refuses in (False, True, False):
            system.signer.refuses = refuses  # type: ignore[attr-defined]  # the class, which every boot signs with
            await asyncio.sleep(SOON_S)
            system.price(150.1)
            if refuses:
                system.propose(grid())
            await asyncio.sleep(SOON_S)
            system.price(150.1)
            await asyncio.sleep(SOON_S)
            told.append([reason for reason in system.desk.unready() if "wait" in reason])
        return told

    before, meanwhile, after = run_simulated(_with_system(tmp_path, story, signer=MoodySigner))
    reason = "Orders of account main wait: The signing agent refused: 0.1 SOL at 145 is outside of its band."
    assert (before, meanwhile, after) == ([], [reason], [])


async def _with_system(
    folder: Path,
    story: Callable[[MemorySystem, list[float]], Awaitable[T]],
    *,
    absent: Keypair | None = None,
    signer: type[Signer] = Signer,
) -> T:
    """The story of a system that has just booted, and the moments at which it compared."""
    chain = InMemorySandbox(folder / "chain")
    try:
        chain.open_account(KEYPAIR)
        chain.price(150.1)
        await asyncio.sleep(15)
        system = MemorySystem(chain, MemoryLog(), reconcile_s=MINUTE_S, absent=absent, signer=signer)
        await system.start()
        read_s = _reading(system)
        await asyncio.sleep(SOON_S)
        told = await story(system, read_s)
        await system.crash()
        return told
    finally:
        chain.close()


def _reading(system: MemorySystem) -> list[float]:
    times: list[float] = []
    accept = system.execution.accept

    def noted(item: Input) -> list[Draft]:
        if isinstance(item, AccountRead):
            times.append(now_s())
        return accept(item)

    system.execution.accept = noted  # type: ignore[method-assign]
    return times
