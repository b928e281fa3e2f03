"""The whole state at any past moment: grids, orders and books, folded from the record up to there."""

from __future__ import annotations

import re
from contextlib import aclosing

import msgspec

from gridkeeper_cli.documents import Document, account_books, grid_books, iso_utc, optional_e6
from gridkeeper_cli.record_source import RecordSource
from gridkeeper_core.audit.envelope import envelope_of, identity
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.grid.state import GridState, LiveOrder
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.views import account_view, grid_view
from gridkeeper_core.machine import Machine
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.record import decode
from gridkeeper_core.times import parse_time_ns
from gridkeeper_core.units import e6_text, e9_text

_SEQUENCE = re.compile(r"[0-9]{1,9}")
_IDENTITY = re.compile(r"[a-z]+:[^@\s]+@[0-9]+")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Where to stop: after a time (ns, UTC), a sequence of EV, or an event; one of the three."""

    time_ns: int | None = None
    sequence: int | None = None
    event: str = ""

    @property
    def needs_order(self) -> bool:
        """Whether only a copy with one order over all services can tell."""
        return self.time_ns is None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """The three states, how many events they are made of, and the time of the newest one."""

    strategy: StrategyMachine
    execution: ExecutionMachine
    ledger: LedgerMachine
    events: int
    newest_ns: int


def read_moment(text: str) -> Moment:
    """`2025-05-04T12:00`, a sequence of EV such as `4711`, or an event such as `grid:sol@12`.

    Raises GridkeeperError BAD_VALUE.
    """
    if _SEQUENCE.fullmatch(text):
        return Moment(sequence=int(text))
    if _IDENTITY.fullmatch(text):
        return Moment(event=text)
    return Moment(time_ns=parse_time_ns(text, "--at"))


async def past_at(source: RecordSource, moment: Moment) -> Past:
    """Fold everything up to the moment; what came at exactly that time is part of it."""
    strategy, execution, ledger = StrategyMachine(), ExecutionMachine(lambda _: None), LedgerMachine()
    machines: dict[str, Machine] = {"strategy": strategy, "execution": execution, "ledger": ledger}
    count, newest_ns = 0, 0
    async with aclosing(source.events()) as events:
        async for stored in events:
            if moment.sequence is not None and stored.sequence > moment.sequence:
                break
            machine = machines.get(stored.service)
            if machine is not None:
                event = decode(stored.body)
                if moment.time_ns is None or event.ts_ns <= moment.time_ns:
                    machine.restore(event)
                    count, newest_ns = count + 1, max(newest_ns, event.ts_ns)
            if moment.event and _is(stored.body, moment.event):
                break
    return Past(strategy=strategy, execution=execution, ledger=ledger, events=count, newest_ns=newest_ns)


def past_document(past: Past) -> Document:
    """For --json."""
    ledger = past.ledger.state
    prices = {grid.config.market: grid.price.oracle_e6 for grid in past.strategy.grids() if grid.price is not None}
    ledger.prices_e6.update(prices)
    return {
        "events": past.events,
        "newest": iso_utc(past.newest_ns),
        "grids": [_grid(grid) for grid in past.strategy.grids()],
        "accounts": [_account(account) for account in past.execution.accounts()],
        "ledger": {
            "grids": [grid_books(grid_view(ledger, name)) for name in sorted(ledger.grids.keys() | ledger.stopped)],
            "accounts": [{"account": a, **account_books(account_view(ledger, a))} for a in sorted(ledger.accounts)],
        },
    }


def _is(body: bytes, wanted: str) -> bool:
    envelope = envelope_of(body)
    return envelope is not None and identity(envelope.stream, envelope.version) == wanted


def _grid(grid: GridState) -> Document:
    return {
        "id": grid.grid_id,
        "market": grid.config.market,
        "account": grid.config.account,
        "state": grid.status,
        "pauses": sorted(grid.pauses),
        "price": optional_e6(grid.price.oracle_e6 if grid.price else None),
        "position": e9_text(grid.position_e9),
        "cash": e6_text(grid.cash_e6),
        "fills": grid.fills,
        "held": [e9_text(held) for held in grid.held_e9],
        "orders": [_order(order) for _, order in sorted(grid.orders.items())],
    }


def _order(order: LiveOrder) -> Document:
    return {
        "intent": order.intent_id,
        "side": order.side,
        "price": e6_text(order.price_e6),
        "size": e9_text(order.size_e9),
        "filled": e9_text(order.filled_e9),
        "unwanted": order.unwanted,
    }


def _account(account: AccountState) -> Document:
    return {
        "account": account.alias,
        "phase": account.phase,
        "differs": account.differs,
        "halted": account.halted,
        "deposit": e6_text(account.deposit_e6),
        "positions": [
            {
                "market": held.market,
                "base": e9_text(held.base_e9),
                "quote": e6_text(held.quote_asset_e6),
                "entry": e6_text(held.quote_entry_e6),
            }
            for _, held in sorted(account.positions.items())
        ],
        "orders": [
            {
                "intent": attempt.intent_id,
                "attempt": attempt.attempt,
                "order_id": attempt.order_id,
                "side": attempt.side,
                "price": e6_text(attempt.price_e6),
                "size": e9_text(attempt.size_e9),
                "filled": e9_text(attempt.filled_e9),
            }
            for _, attempt in sorted(account.attempts.items())
        ],
        "in_flight": account.in_flight.signature if account.in_flight else None,
    }
