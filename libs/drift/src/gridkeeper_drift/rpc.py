"""Asks a Solana JSON-RPC endpoint, one typed method for each call that is needed.

Raises RpcUnreachableError where the outcome is unknown and RpcRefusedError where the endpoint's no is definite.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from copy import copy
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

from solders.transaction import VersionedTransaction

from gridkeeper_core.venue.wallet import Balance
from gridkeeper_drift.endpoint import Endpoint
from gridkeeper_drift.failure import RpcUnreachableError
from gridkeeper_drift.http import httpx
from gridkeeper_drift.schedule import Priority

T = TypeVar("T")
_TOKEN_AMOUNT = slice(64, 72)
Commitment = Literal["processed", "confirmed", "finalized"]
MAX_KEYS = 100
"""How many accounts one getMultipleAccounts takes."""
PAGE = 1000
"""How many signatures one getSignaturesForAddress gives."""


class AccountData(NamedTuple):
    """An account as read."""

    data: bytes
    lamports: int
    owner: str


class AccountsRead(NamedTuple):
    """Several accounts at one slot; None where there is no account."""

    slot: int
    accounts: tuple[AccountData | None, ...]


class Blockhash(NamedTuple):
    """A blockhash, the slot it was read at, and the last block height a transaction with it can land at."""

    blockhash: str
    last_valid_block_height: int
    slot: int


class SignatureSeen(NamedTuple):
    """A signature that names an address. `error` is the transaction's error as JSON, None for none."""

    signature: str
    slot: int
    error: object
    block_time_s: int
    finalized: bool


class SignatureStatus(NamedTuple):
    """Where a transaction stands. `commitment` is processed, confirmed or finalized."""

    slot: int
    error: object
    commitment: str


class StatusesRead(NamedTuple):
    """Statuses as known at `slot`; None where the chain does not know the signature."""

    slot: int
    statuses: tuple[SignatureStatus | None, ...]


class TransactionRead(NamedTuple):
    """A landed transaction. `logs` is None where the endpoint kept none.

    `balances` are the lamports of every account it names, `programs` those it calls itself.
    """

    slot: int
    block_time_s: int
    error: object
    fee_lamports: int
    fee_payer: str
    logs: tuple[str, ...] | None
    signatures: int = 1
    balances: tuple[Balance, ...] = ()
    programs: frozenset[str] = frozenset()


class RpcClient:
    """One endpoint and, where it is given, a second one that is asked where the first is away."""

    def __init__(
        self,
        url: str,
        *,
        second_url: str = "",
        per_second: int = 50,
        burst: int | None = None,
        timeout_s: float = 10.0,
        commitment: Commitment,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self.commitment = commitment
        urls = {"rpc": url} | ({"rpc2": second_url} if second_url else {})
        self.endpoints = tuple(
            Endpoint(one, name=name, per_second=per_second, burst=burst, timeout_s=timeout_s, transport=transport)
            for name, one in urls.items()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for endpoint in self.endpoints:
            await endpoint.close()

    def only(self, name: str) -> RpcClient | None:
        """This client asking the endpoint `name` alone ("rpc2"), None where there is none; not to be closed."""
        found = tuple(endpoint for endpoint in self.endpoints if endpoint.name == name)
        if not found:
            return None
        client = copy(self)
        client.endpoints = found
        return client

    async def multiple_accounts(self, keys: Sequence[str]) -> AccountsRead:
        """At most `MAX_KEYS` accounts, all at one slot."""
        options = {"encoding": "base64", "commitment": self.commitment}
        found = await self._call("getMultipleAccounts", [list(keys), options], _accounts)
        if len(found.accounts) != len(keys):
            raise RpcUnreachableError("getMultipleAccounts", f"{len(keys)} asked, {len(found.accounts)} given.")
        return found

    async def signatures_for(self, address: str, *, until: str = "", before: str = "") -> list[SignatureSeen]:
        """One page, newest first: older than `before`, newer than `until`."""
        options: dict[str, object] = {"limit": PAGE, "commitment": _at_least_confirmed(self.commitment)}
        options |= {"until": until} if until else {}
        options |= {"before": before} if before else {}
        return await self._call("getSignaturesForAddress", [address, options], _signatures)

    async def transaction(self, signature: str) -> TransactionRead | None:
        """A landed transaction; None where the endpoint does not have it (yet)."""
        options = {
            "encoding": "base64",
            "maxSupportedTransactionVersion": 0,
            "commitment": _at_least_confirmed(self.commitment),
        }
        return await self._call("getTransaction", [signature, options], _transaction)

    async def latest_blockhash(self) -> Blockhash:
        """The newest blockhash a transaction can be signed with."""
        options = {"commitment": _at_least_confirmed(self.commitment)}
        return await self._call("getLatestBlockhash", [options], _blockhash, Priority.PLACE)

    async def block_height(self, commitment: Commitment) -> int:
        """The height of the newest block at that commitment."""
        return await self._call("getBlockHeight", [{"commitment": commitment}], int, Priority.PROVE)

    async def slot(self, commitment: Commitment) -> int:
        """The newest slot at that commitment."""
        return await self._call("getSlot", [{"commitment": commitment}], int, Priority.PROVE)

    async def block_time_s(self, slot: int) -> int:
        """The chain's clock at a slot, in seconds."""
        return await self._call("getBlockTime", [slot], int)

    async def balance(self, address: str) -> int:
        """Lamports of an account, 0 where there is none."""
        return await self._call("getBalance", [address, {"commitment": self.commitment}], lambda r: int(r["value"]))

    async def finalized_balance(self, address: str) -> tuple[int, int]:
        """The slot read at, and the lamports that are final there."""
        return await self._call(
            "getBalance",
            [address, {"commitment": "finalized"}],
            lambda r: (int(r["context"]["slot"]), int(r["value"])),
        )

    async def signature_statuses(self, signatures: Sequence[str]) -> StatusesRead:
        """At most 256 statuses, the ledger's whole history searched."""
        options = {"searchTransactionHistory": True}
        found = await self._call("getSignatureStatuses", [list(signatures), options], _statuses, Priority.PROVE)
        if len(found.statuses) != len(signatures):
            raise RpcUnreachableError("getSignatureStatuses", f"{len(signatures)} asked, {len(found.statuses)} given.")
        return found

    async def recent_priority_fees(self, writable: Sequence[str]) -> list[int]:
        """What recent transactions that wrote to these accounts paid, micro-lamports per compute unit, by slot."""
        method = "getRecentPrioritizationFees"
        return await self._call(method, [list(writable)], lambda r: [int(item["prioritizationFee"]) for item in r])

    async def token_balance(self, address: str) -> int:
        """What a token account holds, in the token's smallest unit; 0 where there is none."""
        account = (await self.multiple_accounts([address])).accounts[0]
        return 0 if account is None else int.from_bytes(account.data[_TOKEN_AMOUNT], "little")

    async def send_transaction(self, transaction_base64: str, priority: Priority, *, preflight: bool = False) -> str:
        """Hands a signed transaction over and gives its signature; says nothing about whether it lands."""
        options = {
            "encoding": "base64",
            "skipPreflight": not preflight,
            "preflightCommitment": self.commitment,
            "maxRetries": 0,
        }
        return await self._call("sendTransaction", [transaction_base64, options], str, priority)

    async def _call(
        self, method: str, params: list[Any], read: Callable[[Any], T], priority: Priority = Priority.READ
    ) -> T:
        """Asks the first endpoint whose breaker lets it, then the next: the same bytes twice do no harm."""
        away: RpcUnreachableError | None = None
        for endpoint in self.endpoints:
            if away is None or endpoint.may_pass:
                try:
                    return await endpoint.call(method, params, read, priority)
                except RpcUnreachableError as error:
                    # What the endpoint that was asked says counts, not that another rests.
                    away = away or error
        assert away is not None
        raise away


def _at_least_confirmed(commitment: Commitment) -> Commitment:
    # These methods do not exist below `confirmed`, and a blockhash of a dropped fork would make a dead transaction.
    return "confirmed" if commitment == "processed" else commitment


def _accounts(result: Any) -> AccountsRead:
    return AccountsRead(int(result["context"]["slot"]), tuple(_account(item) for item in result["value"]))


def _account(item: Any) -> AccountData | None:
    if item is None:
        return None
    return AccountData(base64.b64decode(item["data"][0]), int(item["lamports"]), str(item["owner"]))


def _signatures(result: Any) -> list[SignatureSeen]:
    return [
        SignatureSeen(
            str(item["signature"]),
            int(item["slot"]),
            item["err"],
            item.get("blockTime") or 0,
            item.get("confirmationStatus") == "finalized",
        )
        for item in result
    ]


def _blockhash(result: Any) -> Blockhash:
    value = result["value"]
    return Blockhash(str(value["blockhash"]), int(value["lastValidBlockHeight"]), int(result["context"]["slot"]))


def _statuses(result: Any) -> StatusesRead:
    return StatusesRead(int(result["context"]["slot"]), tuple(_status(item) for item in result["value"]))


def _status(item: Any) -> SignatureStatus | None:
    if item is None:
        return None
    # An endpoint that no longer says how far it is speaks of a rooted transaction.
    return SignatureStatus(int(item["slot"]), item["err"], item.get("confirmationStatus") or "finalized")


def _transaction(result: Any) -> TransactionRead | None:
    if result is None:
        return None
    meta = result["meta"]
    message = VersionedTransaction.from_bytes(base64.b64decode(result["transaction"][0])).message
    logs = meta.get("logMessages")
    loaded = meta.get("loadedAddresses") or {"writable": [], "readonly": []}
    keys = [*map(str, message.account_keys), *loaded["writable"], *loaded["readonly"]]
    return TransactionRead(
        slot=int(result["slot"]),
        block_time_s=result.get("blockTime") or 0,
        error=meta["err"],
        fee_lamports=int(meta["fee"]),
        fee_payer=str(message.account_keys[0]),
        logs=None if logs is None else tuple(logs),
        signatures=message.header.num_required_signatures,
        balances=tuple(map(Balance, keys, meta.get("preBalances") or (), meta.get("postBalances") or ())),
        programs=frozenset(keys[part.program_id_index] for part in message.instructions),
    )


async def ask_until_known(client: RpcClient, signature: str, *, attempts: int, wait_s: float) -> TransactionRead:
    """A transaction that is known to have landed; endpoints serve it a moment after its status.

    Raises RpcUnreachableError where it does not appear.
    """
    for attempt in range(attempts):
        found = await client.transaction(signature)
        if found is not None:
            return found
        if attempt + 1 < attempts:
            await asyncio.sleep(wait_s)
    raise RpcUnreachableError("getTransaction", f"Transaction {signature} has a status but cannot be read yet.")
