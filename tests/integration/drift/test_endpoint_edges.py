"""What an endpoint can do wrong, and that nothing is concluded from it that it does not prove."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from gridkeeper_core.venue.records import PlaceOrder, TransferRecord
from gridkeeper_drift.codecs import addresses, idl, instructions
from gridkeeper_drift.codecs.events import log_line, program_logs
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.codecs.user import User, UserTail, encode_user
from gridkeeper_drift.failure import (
    BlockhashStaleError,
    RpcRefusedError,
    RpcUnreachableError,
    TransactionTooLargeError,
)
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.poller import AccountPoller, WatchedAccount
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.schedule import Priority, RequestScheduler
from gridkeeper_drift.sender import Gone, Landed, StillUnknown, TransactionSender
from gridkeeper_drift.walker import LogWalker
from support.scripted_rpc import RefusalError, ScriptedEndpoint, in_context, landed, listed, scripted_endpoint

SIGNER = Signer(Keypair.from_seed(bytes([7] * 32)))
STRANGER = Signer(Keypair.from_seed(bytes([8] * 32)))
USER = addresses.user_address(SIGNER.public_key, 0)
ORACLE, QUOTE_ORACLE = (Pubkey.from_bytes(bytes([number] * 32)) for number in (4, 5))
BLOCKHASH = str(Pubkey.from_bytes(bytes([9] * 32)))
OTHER_BLOCKHASH = str(Pubkey.from_bytes(bytes([10] * 32)))
TOO_MANY, BROKEN = (429, "slow down"), (503, "<html>")


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    async with scripted_endpoint() as scripted:
        scripted.answer_with("getLatestBlockhash", in_context(50, blockhash()))
        yield scripted


@pytest.fixture
async def rpc(endpoint: ScriptedEndpoint) -> AsyncIterator[RpcClient]:
    async with RpcClient(endpoint.url, commitment="confirmed") as client:
        yield client


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


# ---------------------------------------------------------------- the walker


class Chain:
    """Transactions of our account, newest last, behind the scripted endpoint."""

    def __init__(self, endpoint: ScriptedEndpoint, bytes_base64: str) -> None:
        self.rows: list[dict[str, Any]] = []
        self.read: dict[str, list[Any]] = {}
        self._bytes = bytes_base64
        endpoint.answers["getSignaturesForAddress"] = self._page
        endpoint.answers["getTransaction"] = self._transaction
        endpoint.answer_with("getSlot", 1_000)
        self.endpoint = endpoint

    def add(self, name: str, slot: int, *, finalized: bool = True, error: object = None, **changes: Any) -> None:
        self.rows.append(listed(name, slot, finalized=finalized, error=error))
        logs = changes.get("logs", deposit_logs(slot))
        self.read[name] = [*[None] * changes.get("missing", 0), landed(self._bytes, slot, logs, error=error)]

    def finalize(self) -> None:
        self.rows = [{**row, "confirmationStatus": "finalized"} for row in self.rows]

    def _page(self, params: list[Any]) -> list[dict[str, Any]]:
        newest_first = list(reversed(self.rows))
        names = [row["signature"] for row in newest_first]
        options = params[1]
        start = names.index(options["before"]) + 1 if "before" in options else 0
        end = names.index(options["until"]) if options.get("until") in names else len(names)
        return newest_first[start:end][: options["limit"]]

    def _transaction(self, params: list[Any]) -> Any:
        answers = self.read[params[0]]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def deposit_logs(amount: int) -> list[str]:
    blank, _ = idl.events().layouts["DepositRecord"].decode(bytes(500), 0)
    record = {**blank, "user": USER, "direction": "Deposit", "amount": amount}
    return program_logs([log_line("DepositRecord", record)])


@pytest.fixture
async def chain(endpoint: ScriptedEndpoint, rpc: RpcClient) -> Chain:
    sender = TransactionSender(rpc)
    await sender.prepare()
    return Chain(endpoint, sender.sign(SIGNER, roll(1, 1), compute_units=1).bytes_base64)


@pytest.fixture
def walker(rpc: RpcClient) -> LogWalker:
    return LogWalker(rpc, USER, SIGNER.public_key)


async def test_a_walk_tells_every_transaction_oldest_first(chain: Chain, walker: LogWalker) -> None:
    chain.add("a", 1)
    chain.add("b", 2)
    walk = await walker.walk("")
    assert [seen.signature for seen in walk.transactions] == ["a", "b"]
    assert walk.transactions[1].records == (TransferRecord(index=0, quote_e6=2),)
    assert (walk.cursor, walk.cursor_slot) == ("b", 2)
    assert walk.transactions[0].fee_lamports == 5_000
    assert walk.transactions[0].ours
    chain.add("c", 3)
    assert [seen.signature for seen in (await walker.walk("b")).transactions] == ["c"]
    assert (await walker.walk("c")).transactions == ()


async def test_a_walk_turns_pages_back_to_its_cursor(
    chain: Chain, walker: LogWalker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridkeeper_drift.rpc.PAGE", 3)
    monkeypatch.setattr("gridkeeper_drift.walker.PAGE", 3)
    for number in range(9):
        chain.add(f"s{number}", number)
    walk = await walker.walk("s2")
    assert [seen.slot for seen in walk.transactions] == [3, 4, 5, 6, 7, 8]
    assert chain.endpoint.count("getSignaturesForAddress") == 3


async def test_the_cursor_waits_for_finality_and_the_transaction_is_told_again(chain: Chain, walker: LogWalker) -> None:
    chain.add("a", 1)
    chain.add("b", 2, finalized=False)
    first = await walker.walk("")
    assert [(seen.signature, seen.finalized) for seen in first.transactions] == [("a", True), ("b", False)]
    assert first.cursor == "a"
    assert (await walker.walk("a")).transactions == ()
    chain.finalize()
    second = await walker.walk("a")
    assert [(seen.signature, seen.finalized) for seen in second.transactions] == [("b", True)]
    assert second.cursor == "b"
    assert chain.endpoint.count("getTransaction") == 2


async def test_a_signature_that_finality_left_out_has_vanished(chain: Chain, walker: LogWalker) -> None:
    chain.add("a", 1)
    chain.add("b", 2, finalized=False)
    await walker.walk("")
    chain.rows.pop()
    chain.endpoint.answer_with("getSignatureStatuses", in_context(1_001, [None]))
    assert (await walker.walk("a")).vanished == ("b",)
    assert (await walker.walk("a")).vanished == ()


@pytest.mark.parametrize(
    ("finalized_slot", "status"), [(2, None), (1_000, {"slot": 2, "err": None, "confirmationStatus": "confirmed"})]
)
async def test_a_signature_not_listed_has_not_vanished_yet(
    chain: Chain, walker: LogWalker, finalized_slot: int, status: Any
) -> None:
    chain.add("b", 2, finalized=False)
    await walker.walk("")
    chain.rows.pop()
    chain.endpoint.answer_with("getSlot", finalized_slot)
    chain.endpoint.answer_with("getSignatureStatuses", in_context(1_001, [status]))
    assert (await walker.walk("")).vanished == ()
    chain.rows.append(listed("b", 2, finalized=True))
    assert [seen.signature for seen in (await walker.walk("")).transactions] == ["b"]


async def test_a_transaction_that_cannot_be_read_yet_is_asked_for_again(chain: Chain, walker: LogWalker) -> None:
    chain.add("a", 1, missing=2)
    assert len((await walker.walk("")).transactions) == 1


async def test_a_walk_that_cannot_be_finished_tells_nothing(
    chain: Chain, walker: LogWalker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridkeeper_drift.walker._WAIT_S", 0.0)
    chain.add("a", 1)
    chain.add("b", 2, missing=6)
    with pytest.raises(RpcUnreachableError, match="cannot be read yet"):
        await walker.walk("")
    assert [seen.signature for seen in (await walker.walk("")).transactions] == ["a", "b"]


async def test_a_failed_transaction_of_ours_is_told_without_records(chain: Chain, walker: LogWalker) -> None:
    chain.add("a", 1, error={"InstructionError": [3, {"Custom": 6071}]})
    (seen,) = (await walker.walk("")).transactions
    assert (seen.error_code, seen.failed, seen.records, seen.fee_lamports) == (6071, True, (), 5_000)
    assert seen.error == idl.error_name(6071)


async def test_a_failed_transaction_of_another_is_not_told(chain: Chain, rpc: RpcClient) -> None:
    chain.add("a", 1, error="AccountInUse")
    walk = await LogWalker(rpc, USER, STRANGER.public_key).walk("")
    assert walk.transactions == ()
    assert walk.cursor == "a"


@pytest.mark.parametrize("logs", [None, [*deposit_logs(1)[:2], "Log truncated"]])
async def test_missing_logs_are_said_to_be_missing(chain: Chain, walker: LogWalker, logs: Any) -> None:
    chain.add("a", 1, logs=logs)
    (seen,) = (await walker.walk("")).transactions
    assert seen.logs_truncated


# ---------------------------------------------------------------- the poller


def account_row(data: bytes, lamports: int = 1) -> dict[str, Any]:
    return {"data": [base64.b64encode(data).decode(), "base64"], "lamports": lamports, "owner": str(USER)}


def serve_accounts(endpoint: ScriptedEndpoint, slot: int, accounts: dict[Pubkey, dict[str, Any]]) -> None:
    by_key = {str(key): row for key, row in accounts.items()}
    endpoint.answers["getMultipleAccounts"] = lambda params: in_context(slot, [by_key.get(key) for key in params[0]])


def blank_account(name: str, size: int) -> bytes:
    value, _ = idl.accounts().layouts[name].decode(bytes(size), 0)
    return idl.accounts().encode(name, value)


def user_bytes(next_order_id: int) -> bytes:
    blank = UserTail(next_order_id=next_order_id)
    return encode_user(User(SIGNER.public_key, Pubkey.default(), bytes(32), (), (), (), blank))


def exchange(next_order_id: int = 1) -> dict[Pubkey, dict[str, Any]]:
    return {
        addresses.state_address(): account_row(blank_account("State", 984)),
        addresses.spot_market_address(0): account_row(blank_account("SpotMarket", 768)),
        addresses.perp_market_address(0): account_row(blank_account("PerpMarket", 1208)),
        USER: account_row(user_bytes(next_order_id)),
        SIGNER.public_key: account_row(b"", lamports=77),
    }


@pytest.fixture
def poller(rpc: RpcClient) -> AccountPoller:
    watched = [WatchedAccount("main", SIGNER.public_key, 0, SIGNER.public_key)]
    return AccountPoller(rpc, [*watched, WatchedAccount("second", SIGNER.public_key, 1, SIGNER.public_key)], [0])


async def test_an_account_counts_as_changed_until_it_is_walked(
    endpoint: ScriptedEndpoint, poller: AccountPoller
) -> None:
    serve_accounts(endpoint, 10, exchange())
    first = await poller.poll()
    assert first.changed == {"main"}
    assert set(first.users) == {"main"}
    assert first.lamports == {"main": 77, "second": 77}
    assert (await poller.poll()).changed == {"main"}
    poller.walked("main")
    assert (await poller.poll()).changed == frozenset()
    serve_accounts(endpoint, 11, exchange(next_order_id=2))
    assert (await poller.poll()).changed == {"main"}
    assert (await poller.poll()).changed == {"main"}


async def test_a_node_that_lags_does_not_turn_the_account_back(
    endpoint: ScriptedEndpoint, poller: AccountPoller
) -> None:
    serve_accounts(endpoint, 11, exchange(next_order_id=2))
    await poller.poll()
    poller.walked("main")
    serve_accounts(endpoint, 10, exchange(next_order_id=1))
    late = await poller.poll()
    assert (late.slot, late.changed) == (11, frozenset())
    assert late.users["main"].tail.next_order_id == 2


async def test_a_market_that_does_not_exist_is_named_and_forgotten(
    endpoint: ScriptedEndpoint, poller: AccountPoller
) -> None:
    serve_accounts(endpoint, 10, exchange())
    poller.watch_market(42)
    with pytest.raises(Exception, match=r"MARKET_UNKNOWN.*'42'"):
        await poller.poll()
    assert set((await poller.poll()).markets) == {0}


async def test_a_cluster_without_the_program_is_named(endpoint: ScriptedEndpoint, poller: AccountPoller) -> None:
    serve_accounts(endpoint, 10, {})
    with pytest.raises(Exception, match="no such Drift account"):
        await poller.poll()
