"""Reads what changed the SOL of one wallet: its finalized balance, and every finalized transaction up to it.

Only what is final is told, so nothing has ever to be taken back. Transactions that a log walker has read already are
remembered from there: a wallet that pays for orders only costs two requests for each reading.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_core.events import SolMoved
from gridkeeper_core.venue.wallet import sol_moved
from gridkeeper_drift.rpc import PAGE, RpcClient, SignatureSeen, TransactionRead, ask_until_known

SANDBOX_FAUCET = "ADiGUTbEErDc7hPahoUxWnYZtM4d9D2nuBR6qV4ZgLLB"
"""Who pays airdrops on the sandbox. On public test clusters an airdrop cannot be told from a transfer."""
_FAUCETS = frozenset({SANDBOX_FAUCET})
_AT_ONCE = 8
_ATTEMPTS = 6
_WAIT_S = 0.25
MOVES_MAX = 500
_REMEMBERED_MAX = 4096


class WalletReading(NamedTuple):
    """Lamports at a slot, the transactions since the cursor that was given, oldest first, and the new cursor."""

    lamports: int
    slot: int
    cursor: str
    moves: tuple[SolMoved, ...]


class _Told(NamedTuple):
    """A reading, and the lamports that its last transaction left."""

    reading: WalletReading
    left_lamports: int


class WalletWalker:
    """The one reader of a wallet's SOL."""

    def __init__(self, rpc: RpcClient, wallet: Pubkey) -> None:
        self._rpc = rpc
        self._wallet = str(wallet)
        self._remembered: OrderedDict[tuple[str, int], SolMoved] = OrderedDict()

    def remember(self, seen: SignatureSeen, transaction: TransactionRead) -> None:
        """A transaction that was read for another reason, and may be of this wallet."""
        if any(balance.key == self._wallet for balance in transaction.balances):
            self._remembered[seen.signature, transaction.slot] = self._move(seen.signature, transaction)
            if len(self._remembered) > _REMEMBERED_MAX:
                self._remembered.popitem(last=False)

    async def first(self) -> WalletReading:
        """The balance now, and where the next reading begins: at the transaction that left just this balance."""
        return await self._agreed(self._standing)

    async def read(self, cursor: str, held_lamports: int) -> WalletReading:
        """Everything since `cursor`, where so much was held, or nothing at all.

        What cannot be finished raises RpcUnreachableError. Where very much happened, the reading ends earlier, at the
        balance after the last transaction it holds.
        """
        reading = await self._agreed(lambda: self._since(cursor, held_lamports))
        for move in reading.moves:
            self._remembered.pop((move.signature, move.slot), None)
        return reading

    async def _agreed(self, ask: Callable[[], Awaitable[_Told]]) -> WalletReading:
        """A reading whose last transaction left the balance that is told.

        Many nodes answer behind one address: a list that lags behind the balance, or runs ahead of it, is asked for
        again. What no transaction left (the list is cut, or the balance grew by itself) is believed in the end.
        """
        for _ in range(_ATTEMPTS - 1):
            told = await ask()
            if told.left_lamports == told.reading.lamports:
                return told.reading
            await asyncio.sleep(_WAIT_S)
        return (await ask()).reading

    async def _standing(self) -> _Told:
        slot, lamports = await self._rpc.finalized_balance(self._wallet)
        page = await self._rpc.signatures_for(self._wallet)
        newest = next((seen for seen in page if seen.finalized and seen.slot <= slot), None)
        if newest is None:
            return _Told(WalletReading(lamports, slot, "", ()), 0)
        left = await self._read(newest)
        return _Told(WalletReading(lamports, slot, newest.signature, ()), left.after_lamports)

    async def _since(self, cursor: str, held_lamports: int) -> _Told:
        slot, lamports = await self._rpc.finalized_balance(self._wallet)
        listed = [seen for seen in await self._listed(cursor) if seen.finalized and seen.slot <= slot]
        taken = listed[:MOVES_MAX]
        moves: list[SolMoved] = []
        for start in range(0, len(taken), _AT_ONCE):
            moves += await asyncio.gather(*(self._read(seen) for seen in taken[start : start + _AT_ONCE]))
        left = moves[-1].after_lamports if moves else held_lamports
        if len(taken) < len(listed):
            slot, lamports = moves[-1].slot, left
        changed = tuple(move for move in moves if move.before_lamports != move.after_lamports or move.fee_lamports)
        return _Told(WalletReading(lamports, slot, taken[-1].signature if taken else cursor, changed), left)

    async def _listed(self, cursor: str) -> list[SignatureSeen]:
        """Signatures after the cursor, oldest first, each once."""
        newest_first: dict[str, SignatureSeen] = {}
        before = ""
        while True:
            page = await self._rpc.signatures_for(self._wallet, until=cursor, before=before)
            newest_first.update((seen.signature, seen) for seen in page)
            if len(page) < PAGE:
                return list(reversed(newest_first.values()))
            before = page[-1].signature

    async def _read(self, seen: SignatureSeen) -> SolMoved:
        known = self._remembered.get((seen.signature, seen.slot))
        if known is not None:
            return known
        found = await ask_until_known(self._rpc, seen.signature, attempts=_ATTEMPTS, wait_s=_WAIT_S)
        return self._move(seen.signature, found)

    def _move(self, signature: str, transaction: TransactionRead) -> SolMoved:
        return sol_moved(
            self._wallet,
            transaction.balances,
            transaction.programs,
            fee_payer=transaction.fee_payer,
            fee_lamports=transaction.fee_lamports,
            signatures=transaction.signatures,
            signature=signature,
            slot=transaction.slot,
            faucets=_FAUCETS,
        )
