"""Answers queries about accounts and markets, and drives the chain by request on a tape in lockstep."""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import Difference
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.requests import AccountView, Polled, PositionView
from gridkeeper_execution.chain_desk import ChainDesk
from gridkeeper_execution.wallets import WalletDesk


class AccountRequests:
    """Reads the machine's state; asks the desk to look at the chain."""

    def __init__(self, machine: ExecutionMachine, desk: ChainDesk, wallets: WalletDesk) -> None:
        self._machine = machine
        self._desk = desk
        self._wallets = wallets

    async def accounts(self, _subject: str, _body: bytes) -> bytes:
        """All accounts."""
        return msgspec.json.encode([account_view(state) for state in self._machine.accounts()])

    async def markets(self, _subject: str, _body: bytes) -> bytes:
        """The markets the venue was seen to have."""
        return msgspec.json.encode(list(self._machine.specs().values()))

    async def funding(self, _subject: str, _body: bytes) -> bytes:
        """The venue's funding rates."""
        return msgspec.json.encode(await self._desk.funding())

    async def poll(self, _subject: str, _body: bytes) -> bytes:
        """Send what is in flight and walk the chain now; how many transactions were met."""
        await self._desk.send_due()
        return msgspec.json.encode(Polled(transactions=await self._desk.look()))

    async def reconcile(self, _subject: str, _body: bytes) -> bytes:
        """Compare record and venue now."""
        await self._desk.look(reconcile=True)
        return await self.accounts("", b"")

    async def snapshot(self, _subject: str, _body: bytes) -> bytes:
        """Compare, keep what was read, and count the wallets: what a proof ends with."""
        await self._desk.snapshot()
        await self._wallets.try_count()
        return await self.accounts("", b"")


def account_view(state: AccountState) -> AccountView:
    """One account as `account show` prints it."""
    return AccountView(
        alias=state.alias,
        phase=state.phase,
        differs=state.differs,
        halted=state.halted,
        open_orders=sum(1 for a in state.attempts.values() if a.order_id is not None),
        free_slots=state.free_slots(),
        in_flight=state.in_flight.signature if state.in_flight is not None else "",
        deposit_e6=state.deposit_e6,
        positions=tuple(
            PositionView(
                market=p.market,
                base_e9=p.base_e9,
                quote_entry_e6=p.quote_entry_e6,
                quote_asset_e6=p.quote_asset_e6,
                quote_break_even_e6=p.quote_break_even_e6,
            )
            for p in state.positions.values()
        ),
        grids=tuple(state.reservations),
        lamports_spent=state.lamports_spent,
        guards=tuple(_said(key, detail) for key, detail in sorted(state.guards.items())),
        warnings=tuple(_said(key, detail) for key, detail in sorted(state.warnings.items())),
        differences=tuple(f"{d.what}: venue {d.venue}, record {d.ours}" for d in _differences(state)),
        foreign_orders=tuple(sorted(state.foreign)),
    )


def _said(key: tuple[str, str], detail: str) -> str:
    code, market = key
    return f"{code} {market}: {detail}" if market else f"{code}: {detail}"


def _differences(state: AccountState) -> tuple[Difference, ...]:
    return state.doubt.differences if state.doubt is not None else state.found
