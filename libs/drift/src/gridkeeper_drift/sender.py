"""Signs transactions locally, sends the same bytes again and again, and finds out what became of them."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from gridkeeper_core.venue.records import Signed
from gridkeeper_drift.agent_client import AnySigner
from gridkeeper_drift.failure import (
    BlockhashStaleError,
    RpcRefusedError,
    RpcUnreachableError,
    TransactionTooLargeError,
)
from gridkeeper_drift.rpc import Blockhash, RpcClient, SignatureStatus
from gridkeeper_drift.schedule import Priority

MAX_TRANSACTION_BYTES = 1232
_AGE_MAX_S = 10.0
_AGE_MAX_SLOTS = 25
_REFRESH_S = 4.0
_RESEND_S = 2.0
_FEES_EVERY_S = 20.0
_FEE_SHARE_PERCENT = 75
"""Which of the recent fees is paid: more than three of four transactions did."""


class PriorityFee(NamedTuple):
    """What is paid above the base fee, micro-lamports per compute unit: `fixed`, or with a `cap` what others pay now.

    `cap` 0 is the fixed fee alone; with a cap the fixed fee is the least that is paid.
    """

    fixed: int = 0
    cap: int = 0

    def of(self, recent: Sequence[int]) -> int:
        """The fee where recent transactions paid these."""
        if not self.cap or not recent:
            return self.fixed
        usual = sorted(recent)[min(len(recent) - 1, len(recent) * _FEE_SHARE_PERCENT // 100)]
        return max(self.fixed, min(self.cap, usual))


NO_PRIORITY_FEE = PriorityFee()


class Landed(NamedTuple):
    """The transaction is on the chain at `confirmed` or better; `error` is its error as JSON, None for success."""

    slot: int
    error: object


class Gone(NamedTuple):
    """The transaction can never land: `block_height` is finalized, beyond its last, and no block holds it."""

    block_height: int


class StillUnknown(NamedTuple):
    """Nothing is proven yet."""


Outcome = Landed | Gone | StillUnknown


class TransactionSender:
    """Signs with a cached blockhash, so that signing needs no endpoint; sends without preflight.

    A preflight failure would say nothing about bytes that were sent before, so none is asked for. `ages_by_slot` is off
    for a chain whose slots jump without blocks (a tape in lockstep): there a blockhash ages by our clock alone.
    """

    def __init__(
        self,
        rpc: RpcClient,
        *,
        priority_fee: PriorityFee = NO_PRIORITY_FEE,
        ages_by_slot: bool = True,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._rpc = rpc
        self._fee = priority_fee
        self._price = priority_fee.fixed
        self._fees_read_at = -_FEES_EVERY_S
        self._writable: tuple[str, ...] = ()
        self._age_max_slots = _AGE_MAX_SLOTS if ages_by_slot else sys.maxsize
        self._clock = clock or _loop_time
        self._blockhash: Blockhash | None = None
        self._read_at = 0.0
        self._chain_slot = 0
        self._signed: set[str] = set()

    @property
    def is_ready(self) -> bool:
        """Whether the cached blockhash is fresh, by our clock and by the newest slot seen."""
        return (
            self._blockhash is not None
            and self._clock() - self._read_at < _AGE_MAX_S
            and self._chain_slot - self._blockhash.slot < self._age_max_slots
        )

    def note_slot(self, slot: int) -> None:
        """Tells how far the chain is; on a fast tape a blockhash ages faster than our clock shows."""
        self._chain_slot = max(self._chain_slot, slot)

    async def prepare(self, *, anew: bool = False) -> None:
        """Makes sure there is a fresh blockhash to sign with. Raises RpcUnreachableError."""
        if anew or not self.is_ready:
            found = await self._rpc.latest_blockhash()
            if self._blockhash is None or found.blockhash != self._blockhash.blockhash:
                self._signed.clear()
            self._blockhash = found
            self._read_at = self._clock()
        await self._learn_fee()

    def pays_for(self, writable: Sequence[str]) -> None:
        """The accounts whose other writers set the price, where the priority fee follows recent ones."""
        self._writable = tuple(writable)

    async def keep_ready(self) -> None:
        """Refreshes the blockhash for ever; to be run as a task. While it cannot, signing is refused."""
        while True:
            # While the endpoint is away the last blockhash ages, and `is_ready` turns false by itself.
            with suppress(RpcUnreachableError):
                await self.prepare(anew=True)
            await asyncio.sleep(_REFRESH_S)

    def sign(
        self,
        signer: AnySigner,
        instructions: Sequence[Instruction],
        *,
        compute_units: int,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Signed:
        """Signs these instructions as one transaction. Raises BlockhashStaleError, TransactionTooLargeError."""
        if self._blockhash is None or not self.is_ready:
            raise BlockhashStaleError
        while True:
            budget = [set_compute_unit_limit(compute_units), set_compute_unit_price(self._price)]
            message = MessageV0.try_compile(
                signer.public_key,
                [*budget, *instructions],
                list(lookup_tables),
                Hash.from_string(self._blockhash.blockhash),
            )
            transaction = VersionedTransaction.populate(message, [signer.sign(message)])
            signature = str(transaction.signatures[0])
            if signature not in self._signed:
                break
            # The same content under the same blockhash would be the same transaction, and land only once.
            compute_units += 1
        return self._recorded(signature, bytes(transaction), self._blockhash)

    async def send(self, signed: Signed, priority: Priority = Priority.PLACE) -> None:
        """Sends the bytes once. Raises RpcUnreachableError or RpcRefusedError; neither proves that it did not land."""
        await self._rpc.send_transaction(signed.bytes_base64, priority)

    async def outcome(self, signature: str, last_valid_block_height: int) -> Outcome:
        """What is proven of a transaction now. Raises RpcUnreachableError."""
        return (await self.outcomes({signature: last_valid_block_height}))[signature]

    async def outcomes(self, flights: Mapping[str, int]) -> dict[str, Outcome]:
        """What is proven of several (signature -> last valid block height), in as few requests as of one.

        At most 256. Raises RpcUnreachableError.
        """
        # The height is asked for first: what is finalized beyond the last valid height before the status is asked for
        # leaves no block in which the transaction could appear afterwards.
        height = await self._rpc.block_height("finalized")
        is_any_late = any(height > last for last in flights.values())
        finalized_slot = await self._rpc.slot("finalized") if is_any_late else 0
        read = await self._rpc.signature_statuses(list(flights))

        def of(status: SignatureStatus | None, last_valid: int) -> Outcome:
            if status is not None:
                return StillUnknown() if status.commitment == "processed" else Landed(status.slot, status.error)
            if height > last_valid and read.slot >= finalized_slot:
                return Gone(height)
            return StillUnknown()

        statuses = zip(flights.items(), read.statuses, strict=True)
        return {signature: of(status, last) for (signature, last), status in statuses}

    async def deliver(self, signed: Signed, priority: Priority = Priority.PLACE) -> Landed | Gone:
        """Sends the same bytes every two seconds until it landed or never can; waits for an endpoint that is away."""
        while True:
            # Even a refusal proves nothing about what earlier sends of these bytes did; only the outcome counts.
            with suppress(RpcUnreachableError, RpcRefusedError):
                await self.send(signed, priority)
            with suppress(RpcUnreachableError):
                found = await self.outcome(signed.signature, signed.last_valid_block_height)
                if not isinstance(found, StillUnknown):
                    return found
            await asyncio.sleep(_RESEND_S)

    async def _learn_fee(self) -> None:
        if not self._fee.cap or self._clock() - self._fees_read_at < _FEES_EVERY_S:
            return
        # The last price stays where the endpoint does not know of fees; a fee is never worth a missed order.
        with suppress(RpcUnreachableError, RpcRefusedError):
            self._price = self._fee.of(await self._rpc.recent_priority_fees(self._writable))
        self._fees_read_at = self._clock()

    def _recorded(self, signature: str, data: bytes, blockhash: Blockhash) -> Signed:
        if len(data) > MAX_TRANSACTION_BYTES:
            raise TransactionTooLargeError(len(data), MAX_TRANSACTION_BYTES)
        self._signed.add(signature)
        return Signed(
            signature=signature,
            bytes_base64=base64.b64encode(data).decode(),
            blockhash=blockhash.blockhash,
            last_valid_block_height=blockhash.last_valid_block_height,
        )


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
