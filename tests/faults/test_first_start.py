"""Execution starts a moment after its account was opened: what the first reading holds is not booked once more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gridkeeper_core import events as e
from support.fault_run import unsettled
from support.in_memory import InMemorySandbox
from support.memory_system import KEYPAIR, MemoryLog, MemorySystem, grid
from support.simulated_time import run_simulated


@pytest.mark.parametrize("wait_s", [0, 0.3, 0.8, 2])
@pytest.mark.parametrize("confirmed_slots", [0, 2])
def test_the_first_deposit_is_booked_once_however_soon_execution_starts(
    tmp_path: Path, wait_s: float, confirmed_slots: int
) -> None:
    async def story() -> tuple[list[e.Fact], list[str]]:
        chain, log = InMemorySandbox(tmp_path / "chain", confirmed_slots=confirmed_slots), MemoryLog()
        chain.open_account(KEYPAIR)
        chain.price(150.1)
        await asyncio.sleep(wait_s)
        system = MemorySystem(chain, log)
        await system.start()
        await asyncio.sleep(5)
        system.price(150.1)
        system.propose(grid())
        await asyncio.sleep(25)
        system.price(150.1)
        found = await unsettled(system)
        await system.crash()
        chain.close()
        return log.facts(e.Transferred, e.VenueDiffers), found

    assert run_simulated(story()) == ([], [])
