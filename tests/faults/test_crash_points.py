"""The process dies before and after every step of an order's life: one live order per intent, and no fill lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.fault_run import unsettled
from support.in_memory import InMemorySandbox
from support.memory_system import KEYPAIR, CrashError, MemoryLog, MemorySystem, grid
from support.order_log import OrderLog
from support.simulated_time import run_simulated

STEPS = {
    "intend": "OrderAccepted",
    "sign": "sign",
    "record what is signed": "TransactionSigned",
    "send": "send",
    "land": "TransactionLanded",
    "bind": "OrderResting",
    "fill": "OrderFilled",
    "book": "FillBooked",
    "cancel": "OrderClosed",
    "queue": "OrdersQueued",
    "snapshot": "AccountLive",
}
DEATHS = 4


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_death_at_any_step_leaves_one_live_order_per_intent_and_loses_no_fill(
    tmp_path: Path, step: str, when: str
) -> None:
    found, deaths, fills = run_simulated(_story(tmp_path, f"{when} {STEPS[step]}"))
    assert found == []
    assert deaths > 0
    assert fills > 5


def _deadly(point: str) -> Callable[[str], None]:
    """Kills at the first, third, fifth, … passing of the point, so that each death is followed by some work."""
    passed = 0

    def at(step: str) -> None:
        nonlocal passed
        if step == point:
            passed += 1
            if passed % 2 == 1 and passed < 2 * DEATHS:
                raise CrashError(step)

    return at


async def _story(folder: Path, point: str) -> tuple[list[str], int, int]:
    luck = random.Random(point)
    chain = InMemorySandbox(folder / "chain")
    log = MemoryLog()
    try:
        chain.open_account(KEYPAIR)
        chain.price(150.1)
        await asyncio.sleep(15)
        system = MemorySystem(chain, log, at=_deadly(point))
        await system.start()
        usd, is_proposed, found = 150.1, False, [""]
        for second in range(240):
            try:
                system.price(usd)
                if not is_proposed and system.account.phase == "live":
                    is_proposed = True
                    system.propose(grid())
            except CrashError:
                pass
            await asyncio.sleep(1)
            await system.restarted_if_dead()
            if second < 60:
                usd = min(154.0, max(146.0, usd + luck.choice((-0.3, -0.12, 0.12, 0.3))))
            elif second % 5 == 0 and not (found := await unsettled(system)):
                break
        fills = OrderLog(log.events())
        await system.crash()
        return [*found, *fills.faults], system.deaths - 1, len(fills.fills)
    finally:
        chain.close()
