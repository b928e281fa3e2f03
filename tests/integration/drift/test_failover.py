"""A second endpoint: asked where the first is away, and before a difference is believed; breakers say what they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from gridkeeper_drift.endpoint import EndpointChange
from gridkeeper_drift.failure import RpcRefusedError, RpcUnreachableError, VenueRestingError
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.sender import Landed
from gridkeeper_drift.venue import Account, DriftVenue
from gridkeeper_sandbox.faults import Fault
from support.in_memory import SECOND_URL, URL, InMemorySandbox
from support.scripted_rpc import RefusalError, ScriptedEndpoint, scripted_endpoint
from support.simulated_time import run_simulated
from support.venue import order, roll

OWNER = Signer(Keypair.from_seed(bytes([1] * 32)))


@pytest.fixture
async def second() -> AsyncIterator[ScriptedEndpoint]:
    async with scripted_endpoint() as scripted:
        yield scripted


async def test_the_second_endpoint_answers_where_the_first_is_away(second: ScriptedEndpoint) -> None:
    second.answer_with("getSlot", 7)
    async with RpcClient("http://127.0.0.1:9", second_url=second.url, commitment="confirmed") as rpc:
        assert [await rpc.slot("confirmed") for _ in range(5)] == [7] * 5
        assert [endpoint.phase for endpoint in rpc.endpoints] == ["open", "closed"]
        assert rpc.endpoints[0].requests == 3


async def test_an_endpoint_that_says_no_is_believed_and_not_asked_elsewhere(
    endpoint: ScriptedEndpoint, second: ScriptedEndpoint
) -> None:
    def refuse(_: object) -> object:
        raise RefusalError(-32602, "bad")

    endpoint.answers["getSlot"] = refuse
    async with RpcClient(endpoint.url, second_url=second.url, commitment="confirmed") as rpc:
        with pytest.raises(RpcRefusedError):
            await rpc.slot("confirmed")
    assert second.asked == []


async def test_an_open_breaker_asks_nothing_and_closes_after_one_good_trial(endpoint: ScriptedEndpoint) -> None:
    told: list[EndpointChange] = []
    async with RpcClient(endpoint.url, commitment="confirmed") as rpc:
        rpc.endpoints[0].on_change = told.append
        endpoint.faults = [(200, "<html>")] * 3
        endpoint.answer_with("getSlot", 7)
        for _ in range(5):
            with pytest.raises(RpcUnreachableError):
                await rpc.slot("confirmed")
        assert endpoint.count("getSlot") == 3
        await asyncio.sleep(0.6)
        assert await rpc.slot("confirmed") == 7
    assert [change.phase for change in told] == ["open", "half-open", "closed"]
    assert endpoint.url not in str(told)


@pytest.mark.parametrize(
    "result", ["garbage", None, {"context": {}}, {"context": {"slot": 5}, "value": [None, None]}, [], 7]
)
async def test_a_result_of_the_wrong_shape_leaves_the_outcome_unknown(
    endpoint: ScriptedEndpoint, rpc: RpcClient, result: object
) -> None:
    endpoint.answer_with("getSignatureStatuses", result)
    with pytest.raises(RpcUnreachableError):
        await rpc.signature_statuses(["a"])


def test_a_second_opinion_is_the_other_endpoint_s_and_none_where_it_is_away(tmp_path: Path) -> None:
    async def story() -> tuple[bool, bool, bool]:
        chain = InMemorySandbox(tmp_path / "chain")
        try:
            chain.open_account(OWNER.keypair)
            chain.price(150)
            rpc = RpcClient(URL, second_url=SECOND_URL, commitment="confirmed", transport=chain.transport)
            async with DriftVenue(rpc, [Account("main", OWNER.public_key, 0, OWNER)]) as venue:
                first = (await venue.read_accounts())["main"]
                second = await venue.second_opinion("main")
                chain.transport.down = True
                return venue.has_second_endpoint, second == first, await venue.second_opinion("main") is None
        finally:
            chain.close()

    assert run_simulated(story()) == (True, True, True)


def test_the_venue_s_breaker_rests_placing_but_never_cancelling(tmp_path: Path) -> None:
    async def story() -> tuple[list[tuple[str, str]], str]:
        chain = InMemorySandbox(tmp_path / "chain")
        try:
            chain.open_account(OWNER.keypair)
            chain.price(150)
            rpc = RpcClient(URL, commitment="confirmed", transport=chain.transport)
            async with DriftVenue(rpc, [Account("main", OWNER.public_key, 0, OWNER)], market_indexes=[0]) as venue:
                cursor = ""
                for number in range(3):
                    await venue.prepare(anew=True)
                    too_small = order("buy", "149", 1, user_order_id=number + 1)
                    outcome = await venue.sender.deliver(venue.sign(roll(too_small)))
                    assert isinstance(outcome, Landed)
                    cursor = (await venue.walk("main", cursor)).cursor
                with pytest.raises(VenueRestingError):
                    venue.sign(roll(order("buy", "149")))
                venue.sign(roll(cancels=(1,)))
                opened = venue.endpoint_changes()
                await asyncio.sleep(3)
                await venue.prepare(anew=True)
                await venue.sender.deliver(venue.sign(roll(order("buy", "149", user_order_id=9))))
                await venue.walk("main", cursor)
                changes = [*opened, *venue.endpoint_changes()]
                return [(change.name, change.phase) for change in changes], opened[0].alias
        finally:
            chain.close()

    assert run_simulated(story()) == ([("venue", "open"), ("venue", "closed")], "main")


@pytest.mark.parametrize("kind", ["garbage", "server-error", "rate-limit", "lost-answer", "slow"])
def test_an_order_gets_through_whatever_half_of_the_answers_are(tmp_path: Path, kind: str) -> None:
    async def story() -> int:
        chain = InMemorySandbox(tmp_path / "chain")
        try:
            chain.open_account(OWNER.keypair)
            chain.price(150)
            rpc = RpcClient(URL, second_url=SECOND_URL, commitment="confirmed", transport=chain.transport)
            async with DriftVenue(rpc, [Account("main", OWNER.public_key, 0, OWNER)], market_indexes=[0]) as venue:
                chain.fail(Fault(kind=kind, share=0.5), seed=3)  # type: ignore[arg-type]  # one of the literal's
                await venue.prepare()
                await venue.sender.deliver(venue.sign(roll(order("buy", "149"))))
                chain.fail()
                await asyncio.sleep(2)
                return len((await venue.read_accounts())["main"].orders)
        finally:
            chain.close()

    assert run_simulated(story()) == 1
