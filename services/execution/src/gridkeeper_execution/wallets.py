"""Counts the SOL of the wallets that sign: now and then, and when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gridkeeper_core.inputs import WalletRead
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_drift.failure import RpcUnreachableError
from gridkeeper_drift.venue import DriftVenue
from gridkeeper_execution.chain_desk import Inbox
from gridkeeper_runtime.logs import Logger

COUNT_EVERY_S = 300.0
"""Two requests for each wallet that only pays for orders: their transactions are known already."""
RETRY_S = 5.0


class WalletDesk:
    """All signers of one endpoint. Two accounts with one signer are one wallet."""

    def __init__(
        self, venue: DriftVenue, machine: ExecutionMachine, inbox: Inbox, now_ns: Callable[[], int], log: Logger
    ) -> None:
        self._venue = venue
        self._machine = machine
        self._inbox = inbox
        self._now_ns = now_ns
        self._log = log
        self._counting = asyncio.Lock()

    async def count(self) -> None:
        """Record every wallet's finalized balance, and each transaction that led to it since the last time.

        Raises RpcUnreachableError; wallets that were counted before it stay so.
        """
        async with self._counting:
            for signer, accounts in self._venue.wallets().items():
                known = self._machine.wallet(signer)
                cursor = known.cursor if known.is_counted else None
                reading = await self._venue.read_wallet(signer, cursor, known.lamports)
                item = WalletRead(
                    now_ns=self._now_ns(),
                    signer=signer,
                    accounts=accounts,
                    lamports=reading.lamports,
                    slot=reading.slot,
                    cursor=reading.cursor,
                    moves=reading.moves,
                )
                await self._inbox.submit(item)

    async def try_count(self) -> bool:
        """As `count`; an endpoint that is away is no trouble, for nothing that trades waits for this."""
        try:
            await self.count()
        except RpcUnreachableError as away:
            self._log.warning("The wallets could not be counted.", cause=away)
            return False
        return True

    async def keep_counting(self) -> None:
        """From now on, for ever."""
        while True:
            is_done = await self.try_count()
            await asyncio.sleep(COUNT_EVERY_S if is_done else RETRY_S)
