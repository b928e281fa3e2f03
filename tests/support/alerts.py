"""A notifier whose policy is already in its log, so that a test sees messages only; and a fill to tell of."""

from __future__ import annotations

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.events import FillBooked, PolicySet, Side
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, E9
from support.ledger_story import MARKET, START_NS, Story


def told_by(policy: Policy) -> Story:
    """A story told to a notifier that works by this policy since the start."""
    machine = NotifierMachine(policy)
    first = Recorded(
        stream="alert:fleet", version=1, ts_ns=START_NS, cause="test", thread="", prev="", fact=PolicySet(policy=policy)
    )
    machine.restore(first)
    return Story(machine)


def booked(side: Side, *, grid_quote_e6: int = 0, base_e9: int = E9 // 10) -> FillBooked:
    """A fill of the grid `sol` as the ledger books it, of 0.1 where nothing else is said."""
    return FillBooked(
        intent_id="sol/buy/1/0",
        market=MARKET,
        side=side,
        cell=1,
        price_e6=100 * E6,
        base_e9=base_e9,
        quote_e6=10 * E6,
        fee_e6=0,
        position_e9=0,
        quote_entry_e6=0,
        realized_pnl_e6=0,
        grid_quote_e6=grid_quote_e6,
        fill_record_id=1,
        market_index=0,
        signature="s",
    )
