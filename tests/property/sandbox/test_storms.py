"""Random faults over a random client: once they end, chain, accounts and a restarted sandbox say the same."""

from __future__ import annotations

import asyncio
import base64
import random
from contextlib import closing
from pathlib import Path
from typing import get_args

import httpx
import pytest
from solders.keypair import Keypair

from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_sandbox.faults import Fault, FaultKind
from gridkeeper_sandbox.sandbox import Sandbox
from gridkeeper_sandbox.world import well_known
from support.chain_client import QUOTE_ORACLE, sign
from support.in_memory import URL, InMemorySandbox
from support.simulated_time import run_simulated
from support.venue import order

KEYPAIR = Keypair.from_seed(bytes(range(32)))
TRADER = Trader(KEYPAIR.pubkey(), 0, KEYPAIR.pubkey())
MARKETS = [MarketAccounts(0, well_known("oracle SOL-PERP"))]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
STEPS = 25


def storm(chance: random.Random) -> list[Fault]:
    """Three kinds of faults, each of them often."""
    return [
        Fault(
            kind=kind,
            share=chance.choice([0.1, 0.3]),
            delay_ms=chance.choice([500, 5_000, 30_000]),
            relands=chance.random() < 0.5,
            every_copy=chance.random() < 0.5,
        )
        for kind in chance.sample(KINDS, 3)
    ]


async def act(chain: InMemorySandbox, http: httpx.AsyncClient, chance: random.Random) -> None:
    """One deed of a client that asks without care, or of the market."""
    if chance.random() < 0.4:
        chain.price(chance.randint(140, 160))
        return
    part = instructions.place_orders(
        TRADER,
        [order(chance.choice(["buy", "sell"]), str(chance.randint(140, 160)), post_only="try")],
        MARKETS,
        QUOTE_ORACLE,
    )
    blockhash, _ = chain.sandbox.chain.blockhash(chain.sandbox.now_ns, "confirmed")
    methods: list[tuple[str, list[object]]] = [
        (
            "sendTransaction",
            [
                base64.b64encode(bytes(sign(KEYPAIR, [part], blockhash))).decode(),
                {"encoding": "base64", "skipPreflight": True},
            ],
        ),
        ("getMultipleAccounts", [[str(TRADER.user)], {"encoding": "base64", "commitment": "confirmed"}]),
        ("getSignaturesForAddress", [str(TRADER.user), {"commitment": "confirmed"}]),
    ]
    method, params = chance.choice(methods)
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        answer = await http.post(URL, json=body)
        assert answer.status_code in (200, 429, 503)
    except httpx.TransportError:
        pass  # what a fault does to a client is tested elsewhere; here the chain is what counts


async def story(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    chain = InMemorySandbox(folder)
    with closing(chain):
        chain.open_account(KEYPAIR)
        chain.price(150)
        chain.fail(*storm(chance), seed=seed)
        async with httpx.AsyncClient(transport=chain.transport, timeout=10) as http:
            for _ in range(STEPS):
                await act(chain, http, chance)
                await asyncio.sleep(chance.choice([0.1, 1, 5]))
        chain.fail()
        await asyncio.sleep(20)
        chain.sandbox.tick()
        _check_the_chain(chain.sandbox)
        before = chain.sandbox.world.mark()
    again = Sandbox(chain.settings, chain.now_ns)
    with closing(again):
        assert again.world.mark() == before
        assert [item.signature for item in again.chain.landed] == [
            item.signature for item in chain.sandbox.chain.landed
        ]


def _check_the_chain(sandbox: Sandbox) -> None:
    """Slots rise, no signature is there twice, and the position is what the fills add up to."""
    landed = sandbox.chain.landed
    assert [item.slot for item in landed] == sorted(item.slot for item in landed)
    assert len({item.signature for item in landed}) == len(landed)
    account = sandbox.world.venue.accounts[str(TRADER.user)]
    assert len({held.order_id for held in account.slots}) == len(account.slots)
    filled = sum(held.filled_e9 if held.side == "buy" else -held.filled_e9 for held in account.slots)
    if account.next_order_id <= len(account.slots) + 1:  # no slot was used twice
        assert account.position(0).base_e9 == filled


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_after_a_storm_the_chain_is_whole_and_a_restart_knows_all_of_it(tmp_path: Path, first: int) -> None:
    for seed in range(first, first + 10):
        run_simulated(story(tmp_path / str(seed), seed))
