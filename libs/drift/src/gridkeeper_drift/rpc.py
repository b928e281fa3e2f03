"""Asks a Solana JSON-RPC endpoint, one typed method for each call that is needed.

Raises RpcUnreachableError where the outcome is unknown and RpcRefusedError where the endpoint's no is definite.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import httpx
import msgspec
from solders.transaction import VersionedTransaction

from gridkeeper_drift.failure import RpcRefusedError, RpcUnreachableError, custom_code, describe
from gridkeeper_drift.schedule import Priority, RequestScheduler

Commitment = Literal["processed", "confirmed", "finalized"]
MAX_KEYS = 100
"""How many accounts one getMultipleAccounts takes."""
PAGE = 1000
"""How many signatures one getSignaturesForAddress gives."""
_PREFLIGHT_FAILED = -32002
_DEFINITE = {_PREFLIGHT_FAILED, -32003, -32013, -32600, -32601, -32602}
"""Preflight failed, bad signature, transaction does not fit, bad request, no such method, bad parameters."""
_ATTEMPTS = 4
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0


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
    """A landed transaction. `logs` is None where the endpoint kept none."""

    slot: int
    block_time_s: int
    error: object
    fee_lamports: int
    fee_payer: str
    logs: tuple[str, ...] | None


class RpcClient:
    """One endpoint. Answers of 429 and 5xx hold back all requests to it and are asked again, at most four times."""

    def __init__(
        self, url: str, *, per_second: int = 50, burst: int = 50, timeout_s: float = 10.0, commitment: Commitment
    ) -> None:
        self.url = url
        self.commitment = commitment
        self._scheduler = RequestScheduler(per_second, burst)
        self._http = httpx.AsyncClient(timeout=timeout_s)
        self._requests = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def multiple_accounts(self, keys: Sequence[str]) -> AccountsRead:
        """At most `MAX_KEYS` accounts, all at one slot."""
        options = {"encoding": "base64", "commitment": self.commitment}
        result = await self._call("getMultipleAccounts", [list(keys), options])
        return AccountsRead(result["context"]["slot"], tuple(_account(item) for item in result["value"]))

    async def signatures_for(self, address: str, *, until: str = "", before: str = "") -> list[SignatureSeen]:
        """One page, newest first: older than `before`, newer than `until`."""
        options: dict[str, object] = {"limit": PAGE, "commitment": _at_least_confirmed(self.commitment)}
        options |= {"until": until} if until else {}
        options |= {"before": before} if before else {}
        result = await self._call("getSignaturesForAddress", [address, options])
        return [
            SignatureSeen(
                item["signature"],
                item["slot"],
                item["err"],
                item.get("blockTime") or 0,
                item.get("confirmationStatus") == "finalized",
            )
            for item in result
        ]

    async def transaction(self, signature: str) -> TransactionRead | None:
        """A landed transaction; None where the endpoint does not have it (yet)."""
        options = {
            "encoding": "base64",
            "maxSupportedTransactionVersion": 0,
            "commitment": _at_least_confirmed(self.commitment),
        }
        result = await self._call("getTransaction", [signature, options])
        return None if result is None else _transaction(result)

    async def latest_blockhash(self) -> Blockhash:
        """The newest blockhash a transaction can be signed with."""
        options = {"commitment": _at_least_confirmed(self.commitment)}
        result = await self._call("getLatestBlockhash", [options], Priority.PLACE)
        value = result["value"]
        return Blockhash(value["blockhash"], value["lastValidBlockHeight"], result["context"]["slot"])

    async def block_height(self, commitment: Commitment) -> int:
        """The height of the newest block at that commitment."""
        return int(await self._call("getBlockHeight", [{"commitment": commitment}]))

    async def slot(self, commitment: Commitment) -> int:
        """The newest slot at that commitment."""
        return int(await self._call("getSlot", [{"commitment": commitment}]))

    async def block_time_s(self, slot: int) -> int:
        """The chain's clock at a slot, in seconds."""
        return int(await self._call("getBlockTime", [slot]))

    async def balance(self, address: str) -> int:
        """Lamports of an account, 0 where there is none."""
        result = await self._call("getBalance", [address, {"commitment": self.commitment}])
        return int(result["value"])

    async def signature_statuses(self, signatures: Sequence[str]) -> StatusesRead:
        """At most 256 statuses, the ledger's whole history searched."""
        result = await self._call("getSignatureStatuses", [list(signatures), {"searchTransactionHistory": True}])
        return StatusesRead(result["context"]["slot"], tuple(_status(item) for item in result["value"]))

    async def send_transaction(self, transaction_base64: str, priority: Priority, *, preflight: bool = False) -> str:
        """Hands a signed transaction over and gives its signature; says nothing about whether it lands."""
        options = {
            "encoding": "base64",
            "skipPreflight": not preflight,
            "preflightCommitment": self.commitment,
            "maxRetries": 0,
        }
        return str(await self._call("sendTransaction", [transaction_base64, options], priority))

    async def _call(self, method: str, params: list[Any], priority: Priority = Priority.READ) -> Any:
        self._requests += 1
        body = {"jsonrpc": "2.0", "id": self._requests, "method": method, "params": params}
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, _ATTEMPTS + 1):
            await self._scheduler.turn(priority)
            response = await self._post(method, msgspec.json.encode(body))
            if response.status_code == httpx.codes.OK:
                return _result_of(method, response.content)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS and response.status_code < 500:
                raise RpcRefusedError(method, response.status_code, "The endpoint refused the request.")
            if attempt < _ATTEMPTS:
                self._scheduler.hold(_asked_wait_s(response, wait_s))
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
        raise RpcUnreachableError(method, f"HTTP status {response.status_code}, {_ATTEMPTS} times.")

    async def _post(self, method: str, body: bytes) -> httpx.Response:
        try:
            return await self._http.post(self.url, content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError as error:
            raise RpcUnreachableError(method, f"{type(error).__name__}: {error}") from error


def _at_least_confirmed(commitment: Commitment) -> Commitment:
    # These methods do not exist below `confirmed`, and a blockhash of a dropped fork would make a dead transaction.
    return "confirmed" if commitment == "processed" else commitment


def _asked_wait_s(response: httpx.Response, default_s: float) -> float:
    asked = response.headers.get("retry-after", "")
    return min(_LONGEST_WAIT_S, float(asked)) if asked.isdigit() else default_s


def _result_of(method: str, content: bytes) -> Any:
    try:
        answer = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise RpcUnreachableError(method, f"The answer is not JSON: {error}") from error
    if not isinstance(answer, Mapping) or ("result" not in answer and "error" not in answer):
        raise RpcUnreachableError(method, "The answer is not a JSON-RPC answer.")
    if "error" not in answer:
        return answer["result"]
    problem = answer["error"]
    code, message = problem.get("code", 0), str(problem.get("message", ""))
    if code not in _DEFINITE:
        raise RpcUnreachableError(method, f"{code}: {message}")
    data = problem.get("data")
    failure = data.get("err") if isinstance(data, Mapping) else None
    raise RpcRefusedError(method, code, describe(failure) or message, custom_code(failure))


def _account(item: Any) -> AccountData | None:
    if item is None:
        return None
    return AccountData(base64.b64decode(item["data"][0]), item["lamports"], item["owner"])


def _status(item: Any) -> SignatureStatus | None:
    if item is None:
        return None
    # An endpoint that no longer says how far it is speaks of a rooted transaction.
    return SignatureStatus(item["slot"], item["err"], item.get("confirmationStatus") or "finalized")


def _transaction(result: Mapping[str, Any]) -> TransactionRead:
    meta = result["meta"]
    message = VersionedTransaction.from_bytes(base64.b64decode(result["transaction"][0])).message
    logs = meta.get("logMessages")
    return TransactionRead(
        slot=result["slot"],
        block_time_s=result.get("blockTime") or 0,
        error=meta["err"],
        fee_lamports=meta["fee"],
        fee_payer=str(message.account_keys[0]),
        logs=None if logs is None else tuple(logs),
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
