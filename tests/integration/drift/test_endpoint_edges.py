"""What an endpoint can do wrong, and that nothing is concluded from it that it does not prove."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from gridkeeper_core.venue.records import PlaceOrder
from gridkeeper_drift.codecs import addresses, instructions
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.failure import (
    BlockhashStaleError,
    RpcRefusedError,
    RpcUnreachableError,
    TransactionTooLargeError,
)
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.schedule import Priority, RequestScheduler
from gridkeeper_drift.sender import Gone, Landed, StillUnknown, TransactionSender
from support.scripted_rpc import RefusalError, ScriptedEndpoint, in_context, scripted_endpoint

SIGNER = Signer(Keypair.from_seed(bytes([7] * 32)))
STRANGER = Signer(Keypair.from_seed(bytes([8] * 32)))
USER = addresses.user_address(SIGNER.public_key, 0)
ORACLE, QUOTE_ORACLE = (Pubkey.from_bytes(bytes([number] * 32)) for number in (4, 5))
BLOCKHASH = str(Pubkey.from_bytes(bytes([9] * 32)))
OTHER_BLOCKHASH = str(Pubkey.from_bytes(bytes([10] * 32)))
TOO_MANY, BROKEN = (429, "slow down"), (503, "<html>")


def blockhash(name: str = BLOCKHASH) -> dict[str, Any]:
    return {"blockhash": name, "lastValidBlockHeight": 200}


def roll(cancels: int, places: int) -> list[Instruction]:
    trader, markets = Trader(SIGNER.public_key, 0, SIGNER.public_key), (MarketAccounts(0, ORACLE),)
    orders = [
        PlaceOrder(user_order_id=1 + number, market_index=0, side="buy", price_e6=150_000_000 + number, size_e9=10**9,
                   post_only="must", max_ts=1_900_000_000)
        for number in range(places)
    ]  # fmt: skip
    ids = list(range(1_000_000, 1_000_000 + cancels))
    return [
        instructions.cancel_orders_by_ids(trader, ids, markets, QUOTE_ORACLE),
        instructions.place_orders(trader, orders, markets, QUOTE_ORACLE),
    ]


async def test_an_endpoint_that_is_busy_is_asked_again(endpoint: ScriptedEndpoint, rpc: RpcClient) -> None:
    endpoint.faults = [TOO_MANY, BROKEN, TOO_MANY]
    endpoint.answer_with("getSlot", 12)
    assert await rpc.slot("confirmed") == 12
    assert endpoint.count("getSlot") == 4


async def test_an_endpoint_that_stays_busy_leaves_the_outcome_unknown(
    endpoint: ScriptedEndpoint, rpc: RpcClient
) -> None:
    endpoint.faults = [BROKEN] * 4
    with pytest.raises(RpcUnreachableError, match="HTTP status 503"):
        await rpc.slot("confirmed")


@pytest.mark.parametrize("text", ["<html>", "[]", "{}", ""])
async def test_an_answer_that_is_none_leaves_the_outcome_unknown(
    endpoint: ScriptedEndpoint, rpc: RpcClient, text: str
) -> None:
    endpoint.faults = [(200, text)]
    with pytest.raises(RpcUnreachableError):
        await rpc.slot("confirmed")


async def test_nobody_listening_leaves_the_outcome_unknown() -> None:
    async with scripted_endpoint() as endpoint:
        url = endpoint.url
    async with RpcClient(url, commitment="confirmed") as rpc:
        with pytest.raises(RpcUnreachableError, match="ConnectError"):
            await rpc.slot("confirmed")


async def test_a_failed_preflight_is_a_definite_no_with_the_program_s_code(
    endpoint: ScriptedEndpoint, rpc: RpcClient
) -> None:
    def refuse(_: list[Any]) -> Any:
        failure = {"err": {"InstructionError": [3, {"Custom": 6057}]}, "logs": []}
        raise RefusalError(-32002, "Transaction simulation failed", failure)

    endpoint.answers["sendTransaction"] = refuse
    with pytest.raises(RpcRefusedError, match="PlacePostOnlyLimitFailure") as caught:
        await rpc.send_transaction("AA==", Priority.PLACE, preflight=True)
    assert caught.value.custom_code == 6057


async def test_a_node_that_lags_behind_leaves_the_outcome_unknown(endpoint: ScriptedEndpoint, rpc: RpcClient) -> None:
    def behind(_: list[Any]) -> Any:
        raise RefusalError(-32005, "Node is behind by 42 slots")

    endpoint.answers["getSlot"] = behind
    with pytest.raises(RpcUnreachableError, match="behind"):
        await rpc.slot("confirmed")


async def test_cancels_go_first_when_requests_wait() -> None:
    scheduler, order = RequestScheduler(per_second=50, burst=1), list[str]()

    async def ask(name: str, priority: Priority) -> None:
        await scheduler.turn(priority)
        order.append(name)

    await ask("first", Priority.READ)
    async with asyncio.TaskGroup() as group:
        for name, priority in (("read", Priority.READ), ("place", Priority.PLACE), ("cancel", Priority.CANCEL)):
            group.create_task(ask(name, priority))
    assert order == ["first", "cancel", "place", "read"]


async def test_a_caller_that_gave_up_costs_no_turn() -> None:
    scheduler = RequestScheduler(per_second=50, burst=1)
    await scheduler.turn(Priority.READ)
    gone = asyncio.create_task(scheduler.turn(Priority.CANCEL))
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(5):
        await scheduler.turn(Priority.READ)
    assert gone.cancelled()


async def test_sixteen_cancels_and_sixteen_places_fit_into_one_transaction(rpc: RpcClient) -> None:
    sender = TransactionSender(rpc)
    await sender.prepare()
    signed = sender.sign(SIGNER, roll(16, 16), compute_units=1)
    assert signed.last_valid_block_height == 200
    assert signed.blockhash == BLOCKHASH
    with pytest.raises(TransactionTooLargeError):
        sender.sign(SIGNER, roll(16, 32), compute_units=1)


async def test_the_same_content_signed_twice_is_two_transactions(rpc: RpcClient) -> None:
    sender = TransactionSender(rpc)
    await sender.prepare()
    signatures = {sender.sign(SIGNER, roll(1, 1), compute_units=1).signature for _ in range(3)}
    assert len(signatures) == 3


async def test_nothing_is_signed_with_an_old_blockhash(endpoint: ScriptedEndpoint, rpc: RpcClient) -> None:
    now = [100.0]
    sender = TransactionSender(rpc, clock=lambda: now[0])
    with pytest.raises(BlockhashStaleError):
        sender.sign(SIGNER, roll(1, 1), compute_units=1)
    await sender.prepare()
    now[0] += 11
    with pytest.raises(BlockhashStaleError):
        sender.sign(SIGNER, roll(1, 1), compute_units=1)
    endpoint.answer_with("getLatestBlockhash", in_context(90, blockhash(OTHER_BLOCKHASH)))
    await sender.prepare()
    assert sender.sign(SIGNER, roll(1, 1), compute_units=1).blockhash == OTHER_BLOCKHASH


async def test_a_blockhash_ages_by_the_chain_s_slots_too(rpc: RpcClient) -> None:
    sender = TransactionSender(rpc)
    await sender.prepare()
    sender.note_slot(74)
    assert sender.is_ready
    sender.note_slot(75)
    assert not sender.is_ready


@pytest.mark.parametrize(
    ("height", "finalized_slot", "status_slot", "status", "expected"),
    [
        (200, 300, 301, None, StillUnknown()),
        (201, 300, 301, None, Gone(201)),
        (201, 300, 299, None, StillUnknown()),
        (201, 300, 301, {"slot": 7, "err": None, "confirmationStatus": "finalized"}, Landed(7, None)),
        (150, 250, 260, {"slot": 7, "err": "X", "confirmationStatus": "confirmed"}, Landed(7, "X")),
        (201, 300, 301, {"slot": 7, "err": None, "confirmationStatus": "processed"}, StillUnknown()),
    ],
    ids=["not expired", "gone", "the node that knows nothing lags", "landed late", "failed", "only processed"],
)
async def test_gone_is_said_only_when_it_is_proven(
    endpoint: ScriptedEndpoint,
    rpc: RpcClient,
    height: int,
    finalized_slot: int,
    status_slot: int,
    status: Any,
    expected: Any,
) -> None:
    endpoint.answer_with("getBlockHeight", height)
    endpoint.answer_with("getSlot", finalized_slot)
    endpoint.answer_with("getSignatureStatuses", in_context(status_slot, [status]))
    assert await TransactionSender(rpc).outcome("sig", 200) == expected
    assert ("getBlockHeight", [{"commitment": "finalized"}]) in endpoint.asked
    assert ("getSignatureStatuses", [["sig"], {"searchTransactionHistory": True}]) in endpoint.asked


async def test_the_same_bytes_are_sent_until_they_landed(
    endpoint: ScriptedEndpoint, rpc: RpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridkeeper_drift.sender._RESEND_S", 0.01)
    endpoint.answer_with("sendTransaction", "sig")
    endpoint.answer_with("getBlockHeight", 100)
    status = {"slot": 7, "err": None, "confirmationStatus": "confirmed"}
    endpoint.answer_with("getSignatureStatuses", *[in_context(1, [found]) for found in (None, None, status)])
    sender = TransactionSender(rpc)
    await sender.prepare()
    signed = sender.sign(SIGNER, roll(1, 1), compute_units=1)
    assert await sender.deliver(signed) == Landed(7, None)
    sent = [params for method, params in endpoint.asked if method == "sendTransaction"]
    assert [params[0] for params in sent] == [signed.bytes_base64] * 3
    assert all(params[1]["skipPreflight"] for params in sent)
