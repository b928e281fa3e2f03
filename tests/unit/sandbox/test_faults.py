"""Each kind of fault as a client in the same process meets it, on simulated time."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from solders.keypair import Keypair

from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.codecs.addresses import user_address
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.codecs.user import decode_user
from gridkeeper_sandbox.faults import Fault
from gridkeeper_sandbox.world import well_known
from support.chain_client import QUOTE_ORACLE, ChainClient, sign
from support.in_memory import SECOND_URL, URL, InMemorySandbox
from support.simulated_time import now_s, run_simulated
from support.venue import order

KEYPAIR = Keypair.from_seed(bytes(range(32)))
USER = str(user_address(KEYPAIR.pubkey(), 0))
CONFIRMED = {"encoding": "base64", "commitment": "confirmed"}
PROCESSED = {"encoding": "base64", "commitment": "processed"}


class Client:
    """A plain client of the in-memory endpoint, with nothing that hides a fault."""

    def __init__(self, sandbox: InMemorySandbox, url: str = URL) -> None:
        self.chain = sandbox
        self._url = url
        self._http = httpx.AsyncClient(transport=sandbox.transport, timeout=10.0)

    async def post(self, method: str, *params: Any) -> httpx.Response:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        return await self._http.post(self._url, json=body)

    async def ask(self, method: str, *params: Any) -> Any:
        answer = (await self.post(method, *params)).json()
        assert "result" in answer, answer
        assert answer["id"] == 7
        return answer["result"]

    async def place(self, price: str, *, side: Any = "buy") -> str:
        """Places one order; the transaction's signature."""
        markets = [MarketAccounts(0, well_known("oracle SOL-PERP"))]
        trader = Trader(KEYPAIR.pubkey(), 0, KEYPAIR.pubkey())
        part = instructions.place_orders(trader, [order(side, price)], markets, QUOTE_ORACLE)
        blockhash, _ = self.chain.sandbox.chain.blockhash(self.chain.sandbox.now_ns)
        return await self.send(bytes(sign(KEYPAIR, [part], blockhash)))

    async def send(self, data: bytes) -> str:
        """Hands bytes over, without preflight."""
        options = {"encoding": "base64", "skipPreflight": True}
        return str(await self.ask("sendTransaction", base64.b64encode(data).decode(), options))

    async def status(self, signature: str) -> Any:
        return (await self.ask("getSignatureStatuses", [signature]))["value"][0]

    async def open_prices(self, options: Any = PROCESSED) -> list[int]:
        value = (await self.ask("getAccountInfo", USER, options))["value"]
        return sorted(held.price for held in decode_user(base64.b64decode(value["data"][0])).orders if held.is_open)


def simulated(folder: Path, story: Callable[[InMemorySandbox, Client], Awaitable[None]], **settings: Any) -> None:
    """Runs a story with one open account on a market at 150."""

    async def run() -> None:
        sandbox = InMemorySandbox(folder, **settings)
        with closing(sandbox):
            sandbox.open_account(KEYPAIR)
            sandbox.price(150)
            await story(sandbox, Client(sandbox))

    run_simulated(run())


async def pass_time(seconds: float) -> None:
    """Time of the simulated loop."""
    await asyncio.sleep(seconds)


def test_too_many_requests_are_told_with_the_time_to_wait(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="rate-limit", method="getSlot", count=2, retry_after_s=3))
        first = await client.post("getSlot")
        assert (first.status_code, first.headers["retry-after"]) == (429, "3")
        assert (await client.post("getBlockHeight")).status_code == 200
        assert (await client.post("getSlot")).status_code == 429
        assert (await client.post("getSlot")).status_code == 200

    simulated(tmp_path, story)


def test_a_server_error_is_not_the_chains_answer(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="server-error", method="sendTransaction", status=502, count=1))
        with pytest.raises(json.JSONDecodeError):
            await client.place("149")
        assert await client.open_prices() == []
        await client.place("149")
        assert await client.open_prices() == [149_000_000]

    simulated(tmp_path, story)


def test_a_slow_answer_outlasts_the_clients_patience_though_its_transaction_landed(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="slow", method="sendTransaction", delay_ms=30_000, count=1))
        began = now_s()
        with pytest.raises(httpx.ReadTimeout):
            await client.place("149")
        assert 10 <= now_s() - began < 11
        assert await client.open_prices() == [149_000_000]

    simulated(tmp_path, story)


def test_a_lost_request_had_no_effect_and_a_lost_answer_had_its_whole_effect(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        for kind, expected in (("lost-request", []), ("lost-answer", [149_000_000])):
            chain.fail(Fault(kind=kind, method="sendTransaction", count=1))  # type: ignore[arg-type]
            with pytest.raises(httpx.RemoteProtocolError):
                await client.place("149")
            assert await client.open_prices() == expected

    simulated(tmp_path, story)


def test_garbage_comes_in_several_shapes(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="garbage"), seed=1)
        bodies = {(await client.post("getSlot")).content for _ in range(40)}
        assert len(bodies) >= 7
        assert not any(b'"result":4' in body for body in bodies)

    simulated(tmp_path, story)


def test_a_regressed_slot_comes_with_the_accounts_of_that_slot(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="slot-regression", method="getAccountInfo", after=1, count=1))
        before = await client.ask("getAccountInfo", USER, PROCESSED)
        await client.place("149")
        await pass_time(5)
        behind = await client.ask("getAccountInfo", USER, PROCESSED)
        assert behind == before
        now = await client.ask("getAccountInfo", USER, PROCESSED)
        assert now["context"]["slot"] > behind["context"]["slot"]
        assert now["value"] != behind["value"]

    simulated(tmp_path, story)


def test_a_transaction_is_null_for_a_while_though_its_status_is_known(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        signature = await client.place("149")
        await pass_time(2)
        chain.fail(Fault(kind="null-transaction", count=2))
        assert (await client.status(signature))["confirmationStatus"] == "confirmed"
        told = [await client.ask("getTransaction", signature, CONFIRMED) for _ in range(3)]
        assert [item is None for item in told] == [True, True, False]

    simulated(tmp_path, story)


def test_truncated_logs_stay_truncated_for_the_transaction_they_strike(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        signatures = [await client.place(f"14{number}") for number in range(10)]
        await pass_time(8)  # each in a slot of its own, ahead of the clock
        chain.fail(Fault(kind="truncated-logs", share=0.5), seed=3)
        looks = [
            [(await client.ask("getTransaction", signature, CONFIRMED))["meta"]["logMessages"][-1] for _ in range(3)]
            for signature in signatures
        ]
        assert all(len(set(look)) == 1 for look in looks)
        assert 0 < sum(look[0] == "Log truncated" for look in looks) < 10

    simulated(tmp_path, story)


def test_a_lost_transaction_is_accepted_and_never_lands_but_a_copy_of_it_does(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="lost-transaction", count=1))
        signature = await client.place("149")
        await pass_time(20)
        assert await client.status(signature) is None
        assert await client.open_prices() == []
        await client.place("148")
        assert await client.open_prices() == [148_000_000]

    simulated(tmp_path, story)


def test_every_copy_of_a_transaction_can_be_lost(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="lost-transaction", every_copy=True, share=0.5), seed=2)
        fates = []
        for number in range(10):
            signature = await client.place(f"14{number}")
            landed = [await client.status(signature) is not None]
            fates.append(landed[0])
        assert set(fates) == {True, False}

    simulated(tmp_path, story)


def test_a_late_transaction_lands_after_the_client_gave_up_and_before_its_blockhash_ends(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="late-transaction", delay_ms=40_000, count=1))
        signature = await client.place("149")
        await pass_time(39)
        assert await client.status(signature) is None
        await pass_time(2)
        assert (await client.status(signature))["err"] is None
        assert await client.open_prices() == [149_000_000]

    simulated(tmp_path, story)


def test_a_late_transaction_whose_blockhash_has_ended_never_lands(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="late-transaction", delay_ms=70_000, count=1))
        signature = await client.place("149")
        await pass_time(80)
        assert await client.status(signature) is None
        assert await client.open_prices() == []

    simulated(tmp_path, story)


def test_a_fork_takes_back_a_transaction_that_was_confirmed(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="fork", method="sendTransaction", delay_ms=5_000, count=1))
        signature = await client.place("149")
        await pass_time(4)
        seen = await client.ask("getAccountInfo", USER, CONFIRMED)
        assert await client.open_prices(CONFIRMED) == [149_000_000]
        await pass_time(2)
        assert await client.status(signature) is None
        assert await client.open_prices(CONFIRMED) == []
        assert await client.ask("getTransaction", signature, CONFIRMED) is None
        assert signature not in [item["signature"] for item in await client.ask("getSignaturesForAddress", USER)]
        after = await client.ask("getAccountInfo", USER, CONFIRMED)
        assert after["context"]["slot"] > seen["context"]["slot"]

    simulated(tmp_path, story)


def test_a_fork_can_take_the_transaction_in_again_in_a_later_slot(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="fork", method="sendTransaction", delay_ms=5_000, count=1, relands=True))
        signature = await client.place("149")
        slot = (await client.status(signature))["slot"]
        await pass_time(6)
        assert (await client.status(signature))["slot"] > slot
        assert await client.open_prices() == [149_000_000]

    simulated(tmp_path, story)


def test_a_fill_on_a_fork_that_is_left_never_happened_and_the_next_price_fills_again(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        await client.place("149")
        chain.fail(Fault(kind="fork", method="keepers", delay_ms=3_000, count=1))
        chain.price(148)
        assert await client.open_prices() == []
        await pass_time(4)
        assert await client.open_prices() == [149_000_000]
        chain.price(148)
        assert await client.open_prices() == []
        market = chain.sandbox.world.venue.markets[0]
        assert market.next_fill_record_id == 2  # the same record id as on the fork that was left

    simulated(tmp_path, story)


def test_a_final_transaction_cannot_be_taken_back(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        signature = await client.place("149")
        await pass_time(14)
        assert await client.ask("sandbox_fork", signature) is False
        assert await client.open_prices() == [149_000_000]

    simulated(tmp_path, story)


def test_accounts_are_seen_as_of_the_commitment_that_is_asked_for(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        await pass_time(14)
        await client.place("149")
        views = [{"encoding": "base64", "commitment": level} for level in ("processed", "confirmed", "finalized")]
        assert [await client.open_prices(view) for view in views] == [[149_000_000], [], []]
        await pass_time(2)
        assert [await client.open_prices(view) for view in views] == [[149_000_000], [149_000_000], []]
        await pass_time(14)
        assert [await client.open_prices(view) for view in views] == [[149_000_000]] * 3

    simulated(tmp_path, story)


def test_the_second_endpoint_meets_no_faults(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        chain.fail(Fault(kind="server-error"))
        assert (await client.post("getSlot")).status_code == 503
        assert (await Client(chain, SECOND_URL).post("getSlot")).status_code == 200

    simulated(tmp_path, story)


def test_a_killed_sandbox_remembers_its_forks(tmp_path: Path) -> None:
    chain = ChainClient(tmp_path / "chain", confirmed_slots=1)
    chain.open()
    kept = chain.send(chain.place(order("buy", "149")))
    dropped = chain.send(chain.place(order("buy", "148")))
    chain.price(147)
    assert chain.result("sandbox_fork", dropped) is True
    chain.send(chain.place(order("buy", "146")))
    world, slot = chain.sandbox.world.mark(), chain.sandbox.slot()
    chain.restart()
    assert (chain.sandbox.world.mark(), chain.sandbox.slot()) == (world, slot)
    assert [chain.status(signature) is None for signature in (kept, dropped)] == [False, True]
    chain.sandbox.close()


def test_a_blockhash_of_a_fork_that_was_left_is_dead_and_an_older_one_lives(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        dropped = await client.place("149")
        await pass_time(1)
        hashes = {
            level: (await client.ask("getLatestBlockhash", {"commitment": level}))["value"]["blockhash"]
            for level in ("processed", "finalized")
        }
        assert await client.ask("sandbox_fork", dropped) is True
        valid = [(await client.ask("isBlockhashValid", text, PROCESSED))["value"] for text in hashes.values()]
        assert valid == [False, True]

    simulated(tmp_path, story)


def test_an_old_status_is_known_only_where_the_history_is_searched(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox, client: Client) -> None:
        signature = await client.place("149")
        await pass_time(62)
        assert await client.status(signature) is None
        found = await client.ask("getSignatureStatuses", [signature], {"searchTransactionHistory": True})
        assert found["value"][0]["confirmationStatus"] == "finalized"

    simulated(tmp_path, story)
