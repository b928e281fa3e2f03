"""Cancels an account's orders and closes its positions with nothing but endpoint and signer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from solders.instruction import Instruction

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import PositionState
from gridkeeper_core.venue.records import PlaceOrder, VenueAccount
from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.failure import refusal
from gridkeeper_drift.schedule import Priority
from gridkeeper_drift.sender import Gone
from gridkeeper_drift.venue import DriftVenue

_UNITS = 400_000
_ROUNDS = 3
_BPS = 10_000


class Done(NamedTuple):
    """What was done: the signatures that landed, and the account as it is now."""

    signatures: tuple[str, ...]
    account: VenueAccount


class EmergencyDesk:
    """One sub-account of an open venue.

    Raises the error of our catalogue where the venue refused, TRANSACTION_LOST, ACCOUNT_UNKNOWN, RpcUnreachableError.
    """

    def __init__(self, venue: DriftVenue, alias: str) -> None:
        self._venue = venue
        self._alias = alias
        self._account = venue.accounts[alias]
        self._signatures: list[str] = []

    async def cancel(self) -> Done:
        """Cancels every open order, whoever placed it, stops included."""
        account = await self._read()
        if account.orders:
            markets, oracle = self._venue.named_accounts(self._alias, [order.market_index for order in account.orders])
            await self._send([instructions.cancel_orders(self._account.trader, markets, oracle)], Priority.CANCEL)
        return await self._done()

    async def flatten(self, slippage_bps: int) -> Done:
        """Cancels every order, then closes every position against the market's own maker.

        No price is worse than the oracle's by more than `slippage_bps`; what cannot be closed so stays open.
        """
        account = (await self.cancel()).account
        for _ in range(_ROUNDS):
            positions = [position for position in account.positions if position.base_e9]
            if not positions:
                break
            for position in positions:
                await self._close(position, slippage_bps)
            account = await self._read()
        return await self._done()

    async def _close(self, position: PositionState, slippage_bps: int) -> None:
        spec = await self._venue.read_market(position.market_index, self._alias)
        markets, oracle = self._venue.named_accounts(self._alias, [position.market_index])
        order = closing_order(position, slippage_bps, spec.tick_e6)
        referrer = self._venue.referrer(self._alias)
        closing = instructions.place_and_take(self._account.trader, order, markets, oracle, referrer)
        await self._send([closing], Priority.PLACE)

    async def _read(self) -> VenueAccount:
        accounts = await self._venue.read_accounts()
        if self._alias not in accounts:
            raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=self._alias)
        return accounts[self._alias]

    async def _done(self) -> Done:
        return Done(tuple(self._signatures), await self._read())

    async def _send(self, parts: Sequence[Instruction], priority: Priority) -> None:
        sender = self._venue.sender
        await sender.prepare(anew=True)
        signed = sender.sign(self._account.signer, parts, compute_units=_UNITS)
        outcome = await sender.deliver(signed, priority)
        if isinstance(outcome, Gone):
            raise GridkeeperError("TRANSACTION_LOST", field="emergency")
        if outcome.error is not None:
            raise refusal(outcome.error, "emergency")
        self._signatures.append(signed.signature)


def closing_order(position: PositionState, slippage_bps: int, tick_e6: int) -> PlaceOrder:
    """The order that takes a position off at once; its limit is inside of the slippage, on a tick."""
    is_long = position.base_e9 > 0
    worst_e6 = position.oracle_e6 * (_BPS + (-slippage_bps if is_long else slippage_bps)) // _BPS
    # Towards the oracle: a tick must not make it worse than was allowed.
    price_e6 = -(-worst_e6 // tick_e6) * tick_e6 if is_long else worst_e6 // tick_e6 * tick_e6
    return PlaceOrder(
        user_order_id=0,
        market_index=position.market_index,
        side="sell" if is_long else "buy",
        price_e6=price_e6,
        size_e9=abs(position.base_e9),
        post_only="none",
        reduce_only=True,
        immediate_or_cancel=True,
    )
