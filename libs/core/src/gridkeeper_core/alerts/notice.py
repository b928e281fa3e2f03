"""What is said about an event: to whom, how urgent, in which words; most events are not spoken of."""

from __future__ import annotations

import msgspec

from gridkeeper_core.alerts.policy import Severity
from gridkeeper_core.events import (
    AccountHalted,
    AccountLive,
    AccountRecovering,
    AccountResumed,
    AlertMet,
    BooksClosed,
    EditRefused,
    Fact,
    FeedLost,
    FeedStarted,
    FillBooked,
    FillReverted,
    ForeignOrderSeen,
    GridEdited,
    GridFaulted,
    GridFlagged,
    GridOpened,
    GridPaused,
    GridRejected,
    GridResumed,
    GridStopping,
    GuardCleared,
    GuardTripped,
    Liquidated,
    MarketChanged,
    OrderRefused,
    ProofChecked,
    RangeLeft,
    RangeReturned,
    RiskReset,
    RiskTripped,
    SolChecked,
    SolEnough,
    SolLow,
    TransactionFailed,
    VenueDiffers,
)
from gridkeeper_core.inputs import AlertReceived
from gridkeeper_core.names import grid_of, split_stream
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E4, E9, decimal_text, e6_text, e9_text

FLEET = "fleet"
"""The target of what concerns more than one grid, account or market."""
FILLS = "fills"
PAUSED_GRIDS = "paused"
RESUMED_GRIDS = "resumed"
REFUSALS = "refusals"
_BY_A_PERSON = "PAUSED"
_UNITS = {"_e4": E4, "_e6": 10**6, "_e9": E9}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to say. `target` is a grid, an account or a market; `key` the kind of thing, for the throttle.

    With `digest_only` it is never a message of its own; `amounts` are what a digest adds up. `routed_as` sends it the
    way of another severity, so that the end of a trouble is heard where its beginning was. `after_our_own`: it can wait
    where the same thing has just been spoken of.
    """

    target: str
    key: str
    severity: Severity
    text: str
    digest_only: bool = False
    amounts: tuple[tuple[str, int], ...] = ()
    routed_as: Severity | None = None
    after_our_own: bool = False


def notice_of(event: Recorded) -> Notice | None:
    """What to say of an event; None for those nobody needs to hear of."""
    kind, name = split_stream(event.stream)
    match kind:
        case "grid":
            return _of_grid(name, event.fact)
        case "account" | "tx":
            return _of_account(name, event.fact)
        case "ledger" | "books" | "sol":
            return _of_books(name, event.fact)
        case "prices" | "market" | "wallet":
            return _of_surroundings(name, event.fact)
        case _:
            return None


def notice_of_alert(alert: AlertReceived) -> Notice:
    """What to say of an alert of the monitoring; with the page that tells what to do."""
    if not alert.firing:
        return Notice(
            target=alert.target,
            key=alert.cause or f"alert:{alert.name}",
            severity="info",
            text=f"Over: {alert.text}",
            routed_as=alert.severity,
        )
    what_to_do = f" What to do: {alert.runbook_url}" if alert.runbook_url else ""
    return Notice(
        target=alert.target,
        key=alert.cause or f"alert:{alert.name}",
        severity=alert.severity,
        text=f"{alert.text}{what_to_do}",
        after_our_own=bool(alert.cause),
    )


def alert_fact(alert: AlertReceived) -> AlertMet:
    """The alert as it was told, to be recorded before what is decided on it."""
    return AlertMet(
        name=alert.name,
        fingerprint=alert.fingerprint,
        starts_at=alert.starts_at,
        firing=alert.firing,
        severity=alert.severity,
        target=alert.target,
        text=alert.text,
        runbook_url=alert.runbook_url,
        same_as=alert.cause,
    )


def notice_of_test(author: str) -> Notice:
    """What a person gets who wants to see a message arrive."""
    return Notice(target=FLEET, key="test", severity="info", text=f"This is a test message, asked for by {author}.")


def _of_grid(grid: str, fact: Fact) -> Notice | None:
    match fact:
        case GridOpened():
            return _info(grid, "grid", f"Grid {grid} trades from now on, at {e6_text(fact.start_price_e6)}.")
        case GridRejected():
            return _warning(grid, "grid", f"Grid {grid} was not opened: {fact.code}, {fact.detail}.")
        case GridPaused():
            return _paused(grid, fact)
        case GridResumed():
            return _resumed(grid, fact)
        case GridEdited() | EditRefused():
            return _edited(grid, fact)
        case GridFlagged():
            return _info(grid, "grid", f"Grid {grid} is {fact.flag} from now on, by {fact.author}: {fact.reason}.")
        case GridStopping():
            return _ends(grid, fact)
        case GridFaulted():
            return _critical(
                grid,
                "fault",
                f"Grid {grid} stopped working at {fact.at_cause}: {fact.detail}. Its orders are cancelled.",
            )
        case RiskTripped():
            return _risk(grid, fact)
        case RiskReset():
            return _info(grid, "risk", f"Grid {grid}: the risk limits are back to normal.")
        case RangeLeft() | RangeReturned():
            return _range(grid, fact)
        case _:
            return None


def _edited(grid: str, fact: GridEdited | EditRefused) -> Notice:
    if isinstance(fact, EditRefused):
        return _warning(grid, "grid", f"Grid {grid} keeps its settings: {fact.code}, {fact.detail}.")
    return _info(grid, "grid", f"Grid {grid} has new settings, by {fact.author}: {fact.reason}.")


def _ends(grid: str, fact: GridStopping) -> Notice | None:
    if not fact.code:
        return None  # a person ended it, and hears of it when it is over
    position = "closed" if fact.close else "kept"
    return _warning(grid, "ends", f"Grid {grid} ends by itself: {fact.reason}. Its position is to be {position}.")


def _range(grid: str, fact: RangeLeft | RangeReturned) -> Notice:
    price = e6_text(fact.price_e6)
    if isinstance(fact, RangeReturned):
        return _info(grid, "range", f"Grid {grid}: the price {price} is back in its range.")
    side = "below" if fact.where == "low" else "above"
    return _warning(grid, "range", f"Grid {grid}: the price {price} is {side} its range.")


def _paused(grid: str, fact: GridPaused) -> Notice:
    if fact.code == _BY_A_PERSON:
        return _info(grid, "grid", f"Grid {grid} was paused by {fact.author}: {fact.reason}.")
    # One cause pauses many grids: they share a message and its digest.
    text = f"Grid {grid} places no orders: {fact.code}, {fact.reason}."
    return Notice(target=FLEET, key=f"{PAUSED_GRIDS}:{fact.code}", severity="warning", text=text, amounts=((grid, 1),))


def _resumed(grid: str, fact: GridResumed) -> Notice:
    # It may be paused for other reasons too: whether it trades again the event does not say.
    text = f"Grid {grid}: the pause for {fact.code} is over."
    if fact.code == _BY_A_PERSON:
        return _info(grid, "grid", text)
    return Notice(target=FLEET, key=f"{RESUMED_GRIDS}:{fact.code}", severity="info", text=text, amounts=((grid, 1),))


def _risk(grid: str, fact: RiskTripped) -> Notice:
    scale = _UNITS.get(fact.limit[-3:], 1)
    text = (
        f"Grid {grid}: risk is {fact.tier}. {fact.limit} reached {decimal_text(fact.value, scale)}, "
        f"the limit is {decimal_text(fact.allowed, scale)}."
    )
    return _critical(grid, "risk", text) if fact.tier == "red" else _warning(grid, "risk", text)


def _of_account(alias: str, fact: Fact) -> Notice | None:
    match fact:
        case VenueDiffers():
            parts = ", ".join(f"{part.what} is {part.venue} there and {part.ours} here" for part in fact.differences)
            return _critical(alias, "differs", f"Account {alias} differs from the venue at slot {fact.slot}: {parts}.")
        case Liquidated():
            return _critical(
                alias,
                "liquidated",
                f"Account {alias}: the venue liquidated {e9_text(abs(fact.base_e9))} {fact.market}.",
            )
        case FillReverted():
            return _critical(
                alias, "reverted", f"Account {alias}: fill {fact.fill_record_id} of {fact.intent_id} is not final."
            )
        case OrderRefused():
            return Notice(
                target=grid_of(fact.intent_id),
                key=REFUSALS,
                severity="warning",
                text=f"Order {fact.intent_id} was not placed: {fact.code}.",
                digest_only=True,
                amounts=((fact.code, 1),),
            )
        case AccountRecovering() if fact.why != "boot":
            return _warning(
                alias, "recovering", f"Account {alias} places nothing until it agrees with the venue: {fact.why}."
            )
        case AccountLive():
            found = f"{fact.fills_found} fills found, {fact.orders_closed} orders closed"
            return _info(alias, "live", f"Account {alias} agrees with the venue at slot {fact.slot}: {found}.")
        case _:
            return _of_operation(alias, fact)


def _of_operation(alias: str, fact: Fact) -> Notice | None:
    match fact:
        case GuardTripped(code="SOL_LOW") | GuardCleared(code="SOL_LOW"):
            # The wallet's own event, in the same commit, says it better.
            return None
        case GuardTripped():
            text = f"Account {alias}: {fact.code}, {fact.detail}."
            return _warning(alias, f"guard:{fact.code}", text)
        case GuardCleared():
            return _info(alias, f"guard:{fact.code}", f"Account {alias}: {fact.code} is over, {fact.detail}.")
        case AccountHalted():
            return _warning(alias, "halt", f"Account {alias} was halted by {fact.author}: {fact.reason}.")
        case AccountResumed():
            return _info(alias, "halt", f"Account {alias} trades again, by {fact.author}: {fact.reason}.")
        case ForeignOrderSeen():
            return _warning(
                alias, "foreign", f"Account {alias} holds order {fact.order_id} that no grid of this system placed."
            )
        case TransactionFailed():
            return _warning(alias, "failed", f"Account {alias}: a transaction failed on the chain: {fact.error}.")
        case _:
            return None


def _of_books(name: str, fact: Fact) -> Notice | None:
    match fact:
        case ProofChecked() if fact.residual_e6:
            text = f"Account {name}: the books miss {e6_text(fact.residual_e6)} of the equity at slot {fact.slot}."
            return _standing(name, "proof", text)
        case SolChecked() if fact.grown_lamports:
            missing = decimal_text(fact.grown_lamports, E9)
            text = f"Wallet {name}: no transaction explains {missing} SOL of its balance at slot {fact.slot}."
            return _standing(FLEET, "sol_proof", text)
        case FillBooked() if fact.base_e9 > 0:
            return _fill(name, fact)
        case BooksClosed():
            text = f"Grid {name} is stopped after {fact.fills} fills and {fact.turns} turns"
            return _info(name, "grid", f"{text}, with a position of {e9_text(fact.position_e9)}.")
        case _:
            return None


def _fill(grid: str, fact: FillBooked) -> Notice:
    word = "bought" if fact.side == "buy" else "sold"
    signed = fact.base_e9 if fact.side == "buy" else -fact.base_e9
    return Notice(
        target=grid,
        key=f"{FILLS}:{fact.market}",
        severity="info",
        text=f"Grid {grid} {word} {e9_text(fact.base_e9)} {fact.market} at {e6_text(fact.price_e6)}.",
        digest_only=True,
        amounts=((f"{fact.side}s", 1), ("base_e9", signed), ("grid_quote_e6", fact.grid_quote_e6)),
    )


def _of_surroundings(name: str, fact: Fact) -> Notice | None:
    match fact:
        case FeedLost():
            return _warning(
                fact.market, "feed", f"{fact.market}: no prices from {fact.source} any more: {fact.reason}."
            )
        case FeedStarted():
            return _info(fact.market, "feed", f"{fact.market}: prices come from {fact.source}.")
        case MarketChanged():
            return _warning(
                fact.spec.symbol, "market", f"The venue changed {fact.spec.symbol}: {', '.join(fact.changed)}."
            )
        case SolLow():
            text = f"Wallet {name} has {decimal_text(fact.lamports, E9)} SOL left for fees"
            if fact.level == "stop_placing":
                return _critical(fact.account, "sol", f"{text}. No more orders are placed.")
            return _warning(fact.account, "sol", f"{text}.")
        case SolEnough():
            return _info(
                fact.account, "sol", f"Wallet {name} can pay fees again: {decimal_text(fact.lamports, E9)} SOL."
            )
        case _:
            return None


def _info(target: str, key: str, text: str) -> Notice:
    return Notice(target=target, key=key, severity="info", text=text)


def _warning(target: str, key: str, text: str) -> Notice:
    return Notice(target=target, key=key, severity="warning", text=text)


def _critical(target: str, key: str, text: str) -> Notice:
    return Notice(target=target, key=key, severity="critical", text=text)


def _standing(target: str, key: str, text: str) -> Notice:
    """What every check says again for as long as it is so: who was woken once learns of the rest in digests."""
    return Notice(target=target, key=key, severity="critical", text=text, after_our_own=True)
