"""The funding rate that execution tells for a preview is the venue's own, as it is now."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gridkeeper_core.requests import FundingView
from support.in_memory import InMemorySandbox
from support.memory_system import KEYPAIR, MemoryLog, MemorySystem
from support.simulated_time import run_simulated

RATE_E9 = 12_500
"""Longs pay 0.0000125 of the notional per hour."""


def test_it_is_read_from_the_venue_and_the_last_one_stays_while_the_endpoint_is_away(tmp_path: Path) -> None:
    async def story() -> tuple[list[FundingView], list[FundingView], int]:
        chain = InMemorySandbox(tmp_path / "chain", funding_rate_e9=RATE_E9)
        try:
            chain.open_account(KEYPAIR)
            chain.price(150)
            await asyncio.sleep(15)
            system = MemorySystem(chain, MemoryLog())
            await system.start()
            await asyncio.sleep(5)
            told = await system.desk.funding()
            chain.transport.down = True
            away = await system.desk.funding()
            chain.transport.down = False
            now_ns = chain.now_ns()
            await system.crash()
            return told, away, now_ns
        finally:
            chain.close()

    told, away, now_ns = run_simulated(story())

    assert [(rate.market, rate.paid_hour_e9) for rate in told] == [("SOL-PERP", RATE_E9)]
    hour_ns = 3600 * 10**9
    assert told[0].at_ns == now_ns // hour_ns * hour_ns
    assert away == told
