"""Walks the transactions that name one User account, from a cursor to the head, so that no record is missed.

The cursor moves over finalized signatures only. What lies between it and the head is held in memory: it is told when
first seen and once more when it is finalized, and a signature that finality left out is told as vanished. After a
restart everything after the cursor is told again; who reads must know records by their own keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace
from solders.pubkey import Pubkey

from gridkeeper_core.venue.records import SeenTransaction
from gridkeeper_drift.codecs.events import decode_logs, venue_records
from gridkeeper_drift.failure import custom_code, describe
from gridkeeper_drift.rpc import PAGE, RpcClient, SignatureSeen, TransactionRead, ask_until_known

_AT_ONCE = 8
_ATTEMPTS = 6
_WAIT_S = 0.25


class Walk(NamedTuple):
    """What one walk found: transactions oldest first, the new cursor ("" before the first) and the slot it is at.

    `vanished` are signatures told earlier that are not part of the finalized chain.
    """

    transactions: tuple[SeenTransaction, ...]
    cursor: str
    vanished: tuple[str, ...]
    cursor_slot: int


class LogWalker:
    """The one reader of an account's records. `signer` tells which transactions are ours by who paid for them.

    `on_read` gets every transaction as it was read.
    """

    def __init__(
        self,
        rpc: RpcClient,
        user: Pubkey,
        signer: Pubkey,
        on_read: Callable[[SignatureSeen, TransactionRead], None] | None = None,
    ) -> None:
        self._rpc = rpc
        self._user = user
        self._signer = signer
        self._on_read = on_read
        self._held: dict[str, SeenTransaction] = {}
        self._remembered: dict[str, int] = {}
        self._cursor_slot = 0

    @property
    def waits_for_finality(self) -> bool:
        """Whether something was told that is not finalized yet, and so must be looked at again."""
        return bool(self._held)

    async def walk(self, cursor: str) -> Walk:
        """Everything after `cursor`, or nothing at all: a walk that cannot be finished raises RpcUnreachableError."""
        listed = await self._listed(cursor)
        landed_again = self._landed_again(listed)
        vanished = await self._vanished({seen.signature for seen in listed})
        told = await self._told(listed, landed_again)
        for signature in (*vanished, *landed_again):
            self._held.pop(signature, None)
            self._remembered.pop(signature, None)
        for seen in listed:
            self._remembered.pop(seen.signature, None)
        return self._finished(cursor, listed, told, (*landed_again, *vanished))

    def remember(self, signatures: Mapping[str, int]) -> None:
        """What an earlier life was told, with slots: what the chain has dropped meanwhile is told as vanished."""
        self._remembered.update(signatures)

    async def _listed(self, cursor: str) -> list[SignatureSeen]:
        """Signatures after the cursor, oldest first, each once."""
        newest_first: dict[str, SignatureSeen] = {}
        before = ""
        while True:
            page = await self._rpc.signatures_for(str(self._user), until=cursor, before=before)
            newest_first.update((seen.signature, seen) for seen in page)
            if len(page) < PAGE:
                return list(reversed(newest_first.values()))
            before = page[-1].signature

    def _landed_again(self, listed: Sequence[SignatureSeen]) -> tuple[str, ...]:
        """A fork may drop a transaction and take it again: what it did the first time, it did not do."""
        slots = self._slots()
        return tuple(seen.signature for seen in listed if slots.get(seen.signature, seen.slot) != seen.slot)

    def _slots(self) -> dict[str, int]:
        return self._remembered | {signature: held.slot for signature, held in self._held.items()}

    async def _vanished(self, listed: set[str]) -> tuple[str, ...]:
        slots = self._slots()
        missing = [signature for signature in slots if signature not in listed]
        if not missing:
            return ()
        finalized_slot = await self._rpc.slot("finalized")
        read = await self._rpc.signature_statuses(missing)
        return tuple(
            signature
            for signature, status in zip(missing, read.statuses, strict=True)
            # A node that lags behind may not list it yet: only what finality has passed, and nobody knows, is gone.
            if status is None and read.slot >= finalized_slot > slots[signature]
        )

    async def _told(self, listed: Sequence[SignatureSeen], landed_again: Sequence[str]) -> list[SeenTransaction]:
        known = self._held.keys() - set(landed_again)
        new = [seen for seen in listed if seen.signature not in known]
        read: dict[str, TransactionRead] = {}
        for start in range(0, len(new), _AT_ONCE):
            part = new[start : start + _AT_ONCE]
            found = await asyncio.gather(*(self._read(seen.signature) for seen in part))
            read.update((seen.signature, transaction) for seen, transaction in zip(part, found, strict=True))
        told = []
        for seen in listed:
            held = self._held.get(seen.signature)
            if held is None or seen.signature not in known:
                told.append(self._seen(seen, read[seen.signature]))
            elif seen.finalized:
                told.append(replace(held, finalized=True))
        return told

    async def _read(self, signature: str) -> TransactionRead:
        return await ask_until_known(self._rpc, signature, attempts=_ATTEMPTS, wait_s=_WAIT_S)

    def _seen(self, seen: SignatureSeen, transaction: TransactionRead) -> SeenTransaction:
        if self._on_read is not None:
            self._on_read(seen, transaction)
        logs = decode_logs(transaction.logs or ())
        failed = transaction.error is not None
        return SeenTransaction(
            signature=seen.signature,
            slot=transaction.slot,
            block_time_s=transaction.block_time_s,
            finalized=seen.finalized,
            error_code=custom_code(transaction.error),
            error=describe(transaction.error),
            fee_lamports=transaction.fee_lamports,
            ours=transaction.fee_payer == str(self._signer),
            # What a failed transaction logged was undone with it.
            records=() if failed else venue_records(logs.events, self._user),
            logs_truncated=not failed and (transaction.logs is None or not logs.complete),
        )

    def _finished(
        self, cursor: str, listed: Sequence[SignatureSeen], told: Sequence[SeenTransaction], vanished: tuple[str, ...]
    ) -> Walk:
        for transaction in told:
            if transaction.finalized:
                self._held.pop(transaction.signature, None)
            else:
                self._held[transaction.signature] = transaction
        for seen in listed:
            if not seen.finalized:
                break
            cursor, self._cursor_slot = seen.signature, seen.slot
        mentioned = tuple(seen for seen in told if seen.ours or not seen.failed)
        return Walk(mentioned, cursor, vanished, self._cursor_slot)
