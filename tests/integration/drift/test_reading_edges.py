"""What is read of the chain is complete and in order, whatever the endpoint leaves out or turns back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.venue.records import TransferRecord
from gridkeeper_drift.codecs import addresses, idl
from gridkeeper_drift.codecs.events import log_line, program_logs
from gridkeeper_drift.codecs.user import User, UserTail, encode_user
from gridkeeper_drift.failure import RpcUnreachableError
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.poller import AccountPoller, WatchedAccount
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.walker import LogWalker
from support.scripted_rpc import ScriptedEndpoint, in_context, landed, listed

SIGNER = Signer(Keypair.from_seed(bytes([7] * 32)))
STRANGER = Signer(Keypair.from_seed(bytes([8] * 32)))
USER = addresses.user_address(SIGNER.public_key, 0)


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
def chain(endpoint: ScriptedEndpoint) -> Chain:
    message = MessageV0.try_compile(SIGNER.public_key, [], [], Hash.default())
    return Chain(endpoint, base64.b64encode(bytes(VersionedTransaction(message, [SIGNER.keypair]))).decode())


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
