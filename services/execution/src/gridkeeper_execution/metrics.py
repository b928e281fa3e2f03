"""The series only execution has: accounts, their wallets and transactions, and the breakers of what it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram

from gridkeeper_core import events as e
from gridkeeper_core.names import split_intent, split_stream
from gridkeeper_core.orders.distance import liquidation_distance_e6
from gridkeeper_core.orders.guards import runway_ns
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_drift.endpoint import Endpoint

BREAKER_STATE = Gauge(
    "gridkeeper_breaker_state", "0 while a breaker is closed, 1 while it tries, 2 while it is open.", ["endpoint"]
)
LIVE = Gauge("gridkeeper_account_live", "1 while an account is reconciled with the venue.", ["account"])
DIFFERENCES = Gauge(
    "gridkeeper_venue_differences", "Quantities in which record and venue differ, once that is believed.", ["account"]
)
WRONG_PRICE = Gauge(
    "gridkeeper_orders_wrong_price", "Orders that rest at another price or size than was placed.", ["account"]
)
UNRESOLVED_SINCE = Gauge(
    "gridkeeper_order_unresolved_since_timestamp_seconds",
    "Since when a transaction of an account has no outcome; 0 while none is open.",
    ["account"],
)
LIQUIDATION_DISTANCE = Gauge(
    "gridkeeper_liquidation_distance_ratio",
    "The move against its positions, as a share of their prices, that would let the venue liquidate an account.",
    ["account"],
)
LAMPORTS = Gauge("gridkeeper_wallet_lamports", "Balance of the wallet that pays for transactions.", ["account"])
RUNWAY = Gauge("gridkeeper_sol_runway_seconds", "How long that balance lasts at the pace so far.", ["account"])
FILLS = Counter(
    "gridkeeper_fills_total", "Fills: maker, taker, or proven (its record, and with it the role, is lost).",
    ["account", "role"],
)  # fmt: skip
REQUOTE_SECONDS = Histogram(
    "gridkeeper_requote_seconds",
    "From the record of a fill to that of the opposite order of its cell resting on the venue.",
    buckets=(0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0),
)
TRANSACTIONS = Counter(
    "gridkeeper_transactions_total", "Transactions by outcome: landed, failed, expired, reverted.",
    ["account", "outcome"],
)  # fmt: skip
REQUOTE_FORGOTTEN_NS = 600 * NS_PER_S
"""A fill whose opposite order comes later than this met a pause; an order that is missing has an alert of its own."""
_OPPOSITE = {"buy": "sell", "sell": "buy"}
_STATES = {"closed": 0, "half-open": 1, "open": 2}
_PER_ACCOUNT = (LIVE, DIFFERENCES, WRONG_PRICE, UNRESOLVED_SINCE, LIQUIDATION_DISTANCE, LAMPORTS, RUNWAY)
_OUTCOMES: dict[type[e.Fact], str] = {
    e.TransactionLanded: "landed",
    e.TransactionFailed: "failed",
    e.TransactionExpired: "expired",
    e.TransactionReverted: "reverted",
}


def show_breakers(endpoints: Iterable[Endpoint], venue_phases: Iterable[tuple[str, str]]) -> None:
    """Endpoints by name, and of each account whose venue breaker moved `venue <alias>`."""
    for endpoint in endpoints:
        BREAKER_STATE.labels(endpoint.name).set(_STATES[endpoint.phase])
    for alias, phase in venue_phases:
        BREAKER_STATE.labels(f"venue {alias}").set(_STATES[phase])


class AccountMeter:
    """Counts what is committed, and sets what is so; knows nothing that events and readings do not say."""

    def __init__(self) -> None:
        self._filled_ns: dict[tuple[str, int, str], int] = {}
        self._open_ns: dict[str, int] = {}

    def count(self, recorded: Iterable[Recorded]) -> None:
        """Each fact that was committed, once."""
        for event in recorded:
            alias = split_stream(event.stream)[1]
            match event.fact:
                case e.OrderFilled(maker=maker):
                    FILLS.labels(alias, "maker" if maker else "taker").inc()
                    self._filled(event.fact, event.ts_ns)
                case e.FillProven():
                    FILLS.labels(alias, "proven").inc()
                    self._filled(event.fact, event.ts_ns)
                case e.OrderResting():
                    self._rests(event.fact, event.ts_ns)
                case fact if type(fact) in _OUTCOMES:
                    TRANSACTIONS.labels(alias, _OUTCOMES[type(fact)]).inc()

    def measure(self, machine: ExecutionMachine, lamports: Mapping[str, int], now_ns: int) -> None:
        """Set the series anew, so that an account that was taken out leaves nothing behind. `lamports` by alias."""
        for gauge in _PER_ACCOUNT:
            gauge.clear()
        specs = machine.specs().values()
        open_now = {flight.signature for state in machine.accounts() for flight in state.flights}
        self._open_ns = {s: self._open_ns.get(s, now_ns) for s in open_now}
        for state in machine.accounts():
            since_ns = min((self._open_ns[flight.signature] for flight in state.flights), default=0)
            UNRESOLVED_SINCE.labels(state.alias).set(since_ns / NS_PER_S)
            _show_standing(state)
            distance_e6 = liquidation_distance_e6(state, specs, machine.newest_price_e6)
            if distance_e6 is not None:
                LIQUIDATION_DISTANCE.labels(state.alias).set(distance_e6 / E6)
            if state.alias in lamports:
                _show_wallet(state, lamports[state.alias], now_ns)

    def _filled(self, fact: e.OrderFilled | e.FillProven, ts_ns: int) -> None:
        parts = split_intent(fact.intent_id)
        if parts.kind in _OPPOSITE:
            self._filled_ns[parts.grid_id, parts.key, _OPPOSITE[parts.kind]] = ts_ns

    def _rests(self, fact: e.OrderResting, ts_ns: int) -> None:
        parts = split_intent(fact.intent_id)
        filled_ns = self._filled_ns.pop((parts.grid_id, parts.key, parts.kind), None)
        if filled_ns is not None and ts_ns - filled_ns < REQUOTE_FORGOTTEN_NS:
            REQUOTE_SECONDS.observe((ts_ns - filled_ns) / NS_PER_S)


def _show_standing(state: AccountState) -> None:
    LIVE.labels(state.alias).set(1 if state.phase == "live" else 0)
    DIFFERENCES.labels(state.alias).set(max(1, len(state.found)) if state.differs else 0)
    wrong = {d.what.split()[1] for d in state.found if d.what.endswith((" price_e6", " size_e9"))}
    WRONG_PRICE.labels(state.alias).set(len(wrong) if state.differs else 0)


def _show_wallet(state: AccountState, lamports: int, now_ns: int) -> None:
    LAMPORTS.labels(state.alias).set(lamports)
    left_ns = runway_ns(state, lamports, now_ns)
    if left_ns is not None:
        RUNWAY.labels(state.alias).set(max(0, left_ns) / NS_PER_S)
