"""One run of the real adapters against a chain with seeded faults, and what must be true once the faults are over."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from gridkeeper_cli.audit_decisions import decide_again
from gridkeeper_core import events as e
from gridkeeper_core.grid.state import FAULT, PAUSED, POSITION_DIFFERS, GridState
from gridkeeper_core.inputs import AdoptAccount, RejectForeign, ResumeGrid
from gridkeeper_sandbox.faults import Fault
from support.in_memory import InMemorySandbox
from support.lab_record import LabRecord
from support.memory_system import KEYPAIR, MemoryLog, MemorySystem, grid
from support.order_log import OrderLog
from support.simulated_time import run_simulated

TROUBLE_S = 45
"""Simulated seconds with faults."""
SETTLES_WITHIN_S = 150
"""Simulated seconds after the last fault within which all must be as it should: a blockhash lives 60 of them, and what
a fork undid is believed gone only when finality has passed it."""
OF_THE_ADOPTED = frozenset({"cells"})
"""What a person adopted was filled by nobody's record: it is the account's, and no cell's."""
FAULTS: tuple[Fault, ...] = (
    Fault(kind="rate-limit", share=0.2),
    Fault(kind="server-error", share=0.2),
    Fault(kind="lost-request", share=0.2),
    Fault(kind="lost-answer", share=0.3),
    Fault(kind="garbage", share=0.2),
    Fault(kind="slow", share=0.2, delay_ms=4000),
    Fault(kind="slow", method="sendTransaction", share=0.5, delay_ms=12_000),
    Fault(kind="slot-regression", share=0.3),
    Fault(kind="null-transaction", share=0.4),
    Fault(kind="truncated-logs", share=0.3),
    Fault(kind="lost-transaction", share=0.4),
    Fault(kind="lost-transaction", share=0.4, every_copy=True),
    Fault(kind="late-transaction", share=0.5, delay_ms=20_000),
    Fault(kind="fork", method="sendTransaction", share=0.3, delay_ms=3_000),
    Fault(kind="fork", method="sendTransaction", share=0.3, delay_ms=3_000, relands=True),
    Fault(kind="fork", method="keepers", share=0.4, delay_ms=2_000),
)


def faults_of(seed: int) -> tuple[Fault, ...]:
    """Each kind alone in turn, then random combinations of two to four."""
    if seed < len(FAULTS):
        return (FAULTS[seed],)
    luck = random.Random(seed)
    return tuple(luck.sample(FAULTS, luck.randint(2, 4)))


def may_need_a_person(seed: int) -> bool:
    """What was confirmed and then undone, and records that were cut, can leave more than one possibility: then the
    account must say so, place nothing, and agree with the venue once a person has adopted it."""
    return any(fault.kind in ("fork", "truncated-logs") for fault in faults_of(seed))


def run(folder: Path, seed: int, *, crashes: bool = False) -> list[str]:
    """What is not as it should be at the end; empty when all is."""
    return run_simulated(_run(folder, seed, crashes=crashes))


async def _run(folder: Path, seed: int, *, crashes: bool) -> list[str]:
    luck = random.Random(f"prices {seed}")
    chain = InMemorySandbox(folder / f"chain-{seed}")
    log = MemoryLog()
    try:
        chain.open_account(KEYPAIR)
        chain.price(150.1)
        await asyncio.sleep(15)
        system = MemorySystem(chain, log)
        await system.start()
        await asyncio.sleep(3)
        system.price(150.1)
        system.propose(grid())
        usd = 150.1
        chain.fail(*faults_of(seed), seed=seed)
        for _ in range(TROUBLE_S):
            usd = min(154.0, max(146.0, usd + luck.choice((-0.3, -0.12, 0.12, 0.3))))
            system.price(usd)
            await asyncio.sleep(1)
            if crashes and luck.random() < 0.08:
                await system.crash()
                await system.start()
        chain.fail()
        found = await _until_settled(system, usd)
        if found and may_need_a_person(seed) and _says_so(system):
            await _taken_care_of(system)
            found = await _until_settled(system, usd, beside=OF_THE_ADOPTED)
            found = [*found, "after adopting"] if found else []
        await system.crash()
        found += await decided_otherwise(log)
        return [*found, *([] if may_need_a_person(seed) else OrderLog(log.events()).faults)]
    finally:
        chain.close()


async def decided_otherwise(log: MemoryLog) -> list[str]:
    """Decisions that do not come out of the log again as they were made."""
    logs = (await decide_again(LabRecord(log.events()))).logs
    lacking = [f"{found.service} lacks {name}" for found in logs for name in found.lacking]
    return [*lacking, *(difference.sentence for found in logs for difference in found.differences)]


async def _taken_care_of(system: MemorySystem) -> None:
    """What a person does about it: take the venue's word, refuse what nobody wants, let the grid go on."""
    system.command("account:main", AdoptAccount())
    await asyncio.sleep(10)
    if system.account.foreign:
        system.command("account:main", RejectForeign())
    if {FAULT, PAUSED, POSITION_DIFFERS} & set(system.strategy.grid("tale").pauses):
        system.command("grid:tale", ResumeGrid())


async def _until_settled(system: MemorySystem, usd: float, beside: frozenset[str] = frozenset()) -> list[str]:
    """Asked every few seconds, because a grid may wait before it wants again what was turned away."""
    found: list[str] = []
    for _ in range(SETTLES_WITHIN_S // 5):
        for _ in range(5):
            system.price(usd)
            await asyncio.sleep(1)
        found = [what for what in await unsettled(system) if what not in beside]
        if not found:
            return []
    return [*found, f"breaks {system.log.facts(e.VenueDiffers, e.DifferenceSuspected)[-3:]}"]


def _says_so(system: MemorySystem) -> bool:
    """Whether account or grid show that something is wrong."""
    account = system.account
    state = system.strategy.grid("tale")
    return account.differs or account.doubt is not None or bool(account.guards or account.foreign or state.pauses)


async def unsettled(system: MemorySystem) -> list[str]:
    """What is not as it should be now: account, books, orders on the venue, and what the grid wants."""
    truth, account = await system.truth(), system.account
    state: GridState = system.strategy.grid("tale")
    held = {order.order_id: order.filled_e9 for order in truth.orders}
    ours = {a.order_id: a.filled_e9 for a in account.attempts.values()}
    position = next((p for p in truth.positions), None)
    books = account.positions.get(0)
    wanted = sorted(order.intent_id for order in state.orders.values())
    checks = {
        "live": account.phase == "live" and not account.differs and account.doubt is None and not account.flights,
        "orders": held == ours,
        "position": (position.base_e9 if position else 0) == (books.base_e9 if books else 0),
        "amounts": (position.quote_asset_e6, position.quote_entry_e6, position.quote_break_even_e6)
        == (books.quote_asset_e6, books.quote_entry_e6, books.quote_break_even_e6)
        if position and books
        else True,
        "deposit": truth.deposit_e6 == account.deposit_e6,
        "guards": not account.guards,
        "window": wanted == sorted(account.attempts) and len(wanted) >= 5,
        "grid": state.status == "open",
        "cells": state.position_e9 == (position.base_e9 if position else 0),
    }
    return [what for what, holds in checks.items() if not holds]
