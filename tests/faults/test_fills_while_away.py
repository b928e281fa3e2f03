"""Forty orders over two windows are filled, whole and in part, while nobody is there: one boot finds them all."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gridkeeper_core import events as e
from support.fault_run import unsettled
from support.in_memory import InMemorySandbox
from support.memory_system import KEYPAIR, MemoryLog, MemorySystem, grid
from support.order_log import OrderLog
from support.simulated_time import run_simulated

LIVE_ORDERS = 28
CELL_E9 = 100_000_000
STEP = 0.25


def test_forty_orders_filled_while_away_are_booked_once_with_their_opposites_placed_in_one_boot(tmp_path: Path) -> None:
    found, log, touched = run_simulated(_story(tmp_path))
    assert found == []
    judged = OrderLog(log.events())
    assert judged.faults == []
    boots = log.facts(e.AccountLive)
    assert len(boots) == 3
    assert touched >= 40
    assert sum(boot.fills_found for boot in boots) == touched
    partly = [fill for fill in judged.fills if fill.cumulative_e9 < fill.size_e9]
    assert len(partly) == 2
    assert sum(boot.orders_closed for boot in boots) == touched - len(partly)
    # The two halves that were left are filled by the first row after each boot.
    assert len(log.facts(e.FillBooked)) == len(judged.fills) == touched + len(partly)


async def _story(folder: Path) -> tuple[list[str], MemoryLog, int]:
    chain = InMemorySandbox(folder / "chain", fill_model="queue")
    log = MemoryLog()
    try:
        chain.open_account(KEYPAIR)
        chain.price(150.1)
        await asyncio.sleep(15)
        system = MemorySystem(chain, log)
        await system.start()
        await asyncio.sleep(3)
        system.price(150.1)
        system.propose(grid(live_orders=LIVE_ORDERS))
        await _until(system, 150.1)
        touched = 0
        for low in (150.1 - 10.2 * STEP, 150.1 - 20.2 * STEP):
            touched += await _outage(system, low)
            await _until(system, low)
        found = await unsettled(system)
        await system.crash()
        return found, log, touched
    finally:
        chain.close()


async def _outage(system: MemorySystem, low: float) -> int:
    """Down to `low` and up again by as much: all buys above it and all sells below; how many fills that must make.

    The last order on the way down is filled by half only.
    """
    truth = await system.truth()
    await system.crash()
    held = {order.price_e6: order for order in truth.orders}
    buys = sorted((p for p, order in held.items() if order.side == "buy" and p >= low * 10**6), reverse=True)
    sells = sorted(p for p, order in held.items() if order.side == "sell")[:12]
    for price_e6 in buys[:-1]:
        system.unheard_price(price_e6 / 10**6, CELL_E9)
        await asyncio.sleep(1)
    system.unheard_price(buys[-1] / 10**6, CELL_E9 // 2)
    await asyncio.sleep(1)
    for price_e6 in sells:
        system.unheard_price(price_e6 / 10**6, CELL_E9)
        await asyncio.sleep(1)
    system.unheard_price(low, 0)
    await system.start()
    return len(buys) + len(sells)


async def _until(system: MemorySystem, usd: float) -> None:
    for _ in range(60):
        await asyncio.sleep(1)
        if system.account.phase == "live":
            system.price(usd)
            if not await unsettled(system):
                return
