"""Everything that can make a service decide something. Time is part of each; there is no other clock."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.alerts.policy import Severity
from gridkeeper_core.events import SolMoved
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price, price_cause
from gridkeeper_core.record import Recorded
from gridkeeper_core.venue.records import SeenTransaction, VenueAccount


class EventSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An event of another service."""

    now_ns: int
    event: Recorded


class PriceTick(msgspec.Struct, frozen=True, kw_only=True):
    """A price; only the newest of a market matters."""

    now_ns: int
    price: Price


class Wake(msgspec.Struct, frozen=True, kw_only=True):
    """The moment `next_wake_ns` asked for: `now_ns` is exactly that deadline."""

    now_ns: int


class TransactionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The log walker met a transaction that names the account."""

    now_ns: int
    alias: str
    transaction: SeenTransaction


class TransactionGone(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction of ours can never land: its last valid block height has passed and the chain does not know it."""

    now_ns: int
    alias: str
    signature: str
    block_height: int


class TransactionVanished(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction seen at `confirmed` is not part of the finalized chain."""

    now_ns: int
    alias: str
    signature: str


class AccountBooted(msgspec.Struct, frozen=True, kw_only=True):
    """Execution started and takes care of this account from now on."""

    now_ns: int
    alias: str


class AccountRead(msgspec.Struct, frozen=True, kw_only=True):
    """The account as the venue holds it at a slot, when all signatures up to it were walked; `cursor` is finalized.

    `endpoints` is how many were asked and `agreed` whether they say the same: a break is believed only then.
    `block_time_s` is the chain's clock as read now, 0 where it was not asked for. `keeps`: a snapshot is wanted now.
    """

    now_ns: int
    account: VenueAccount
    cursor: str
    cursor_slot: int
    endpoints: int = 1
    agreed: bool = True
    block_time_s: int = 0
    keeps: bool = False


class AlertReceived(msgspec.Struct, frozen=True, kw_only=True):
    """Alertmanager told of an alert. `target` is the grid, account or market it is about, else "fleet".

    `cause` names what the system itself says of the same trouble ("" = nothing): a key of its own notices.
    """

    now_ns: int
    name: str
    fingerprint: str
    starts_at: str
    firing: bool
    severity: Severity
    target: str
    text: str
    runbook_url: str = ""
    cause: str = ""

    @property
    def identity(self) -> str:
        """The same alert in the same state, however often it is told."""
        return f"alertmanager:{self.fingerprint}:{self.starts_at}:{'firing' if self.firing else 'resolved'}"


class EndpointMoved(msgspec.Struct, frozen=True, kw_only=True):
    """The breaker of an endpoint ("rpc", "rpc2") or of the venue moved to `state`: closed, open, half-open."""

    now_ns: int
    alias: str
    endpoint: str
    state: str
    detail: str


class WalletRead(msgspec.Struct, frozen=True, kw_only=True):
    """The SOL of the wallet `signer`, which signs for `accounts`: its finalized balance at a slot.

    `moves` are all transactions that changed it since the reading before, the oldest first; `cursor` is the newest
    finalized one ("" for none).
    """

    now_ns: int
    signer: str
    accounts: tuple[str, ...]
    lamports: int
    slot: int
    cursor: str
    moves: tuple[SolMoved, ...]


class MarketRead(msgspec.Struct, frozen=True, kw_only=True):
    """A market as the venue describes it now, with its oracle: price and confidence (1e-6) and age in slots.

    An `oracle_e6` of 0 was not read.
    """

    now_ns: int
    spec: MarketSpec
    oracle_e6: int = 0
    oracle_confidence_e6: int = 0
    oracle_age_slots: int = 0


class ProposeGrid(msgspec.Struct, frozen=True, kw_only=True, tag="propose_grid"):
    """Create a grid. `source` is the text of its file."""

    config: GridConfig
    source: str
    accepted: tuple[str, ...] = ()


class PauseGrid(msgspec.Struct, frozen=True, kw_only=True, tag="pause_grid"):
    """Cancel the grid's orders (unless kept) and place none until it is resumed."""

    keep_orders: bool = False


class ResumeGrid(msgspec.Struct, frozen=True, kw_only=True, tag="resume_grid"):
    """Trade again after a pause, a halt or a fault."""


class StopGrid(msgspec.Struct, frozen=True, kw_only=True, tag="stop_grid"):
    """Cancel the grid's orders for good; `close` also closes its position."""

    close: bool = False


class EditGrid(msgspec.Struct, frozen=True, kw_only=True, tag="edit_grid"):
    """Replace the grid's settings; cells keep their content and cost. `source` is the text of the new file."""

    config: GridConfig
    source: str
    accepted: tuple[str, ...] = ()


class FlagGrid(msgspec.Struct, frozen=True, kw_only=True, tag="flag_grid"):
    """Decide without sending (shadow), trade a small part for a day (canary), or trade (live)."""

    flag: Literal["shadow", "canary", "live"]


class TestNotification(msgspec.Struct, frozen=True, kw_only=True, tag="test_notification"):
    """Send one message to every channel, or to the one named, so that a person can see that it arrives."""

    channel: str = ""


class HaltAccount(msgspec.Struct, frozen=True, kw_only=True, tag="halt_account"):
    """Refuse placing for every grid of the account and cancel their orders."""


class ResumeAccount(msgspec.Struct, frozen=True, kw_only=True, tag="resume_account"):
    """End the halt."""


class SettleAccount(msgspec.Struct, frozen=True, kw_only=True, tag="settle_account"):
    """Settle PnL into the deposit, in one market or (market "") in all that hold any."""

    market: str = ""


class AdoptAccount(msgspec.Struct, frozen=True, kw_only=True, tag="adopt_account"):
    """Take the venue's numbers for the truth, foreign orders and fills included."""


class RejectForeign(msgspec.Struct, frozen=True, kw_only=True, tag="reject_foreign"):
    """Cancel the orders that no intent explains."""


CommandBody = (
    ProposeGrid
    | PauseGrid
    | ResumeGrid
    | StopGrid
    | EditGrid
    | FlagGrid
    | TestNotification
    | HaltAccount
    | ResumeAccount
    | SettleAccount
    | AdoptAccount
    | RejectForeign
)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for. `key` makes it idempotent; `target` is the stream it is about (`grid:sol-range`)."""

    now_ns: int
    key: str
    author: str
    reason: str
    target: str
    body: CommandBody


Input = (
    EventSeen
    | PriceTick
    | Wake
    | TransactionSeen
    | TransactionGone
    | TransactionVanished
    | AccountBooted
    | AccountRead
    | WalletRead
    | MarketRead
    | EndpointMoved
    | AlertReceived
    | Command
)


def cause_of(item: Input) -> str:
    """How the facts that follow from an input name it."""
    match item:
        case EventSeen():
            return item.event.identity
        case PriceTick():
            return price_cause(item.price)
        case Wake():
            return f"wake:{item.now_ns}"
        case Command():
            return f"cmd:{item.key}"
        case TransactionSeen():
            return f"sig:{item.transaction.signature}"
        case TransactionGone() | TransactionVanished():
            return f"sig:{item.signature}"
        case AlertReceived():
            return item.identity
        case AccountBooted():
            return f"boot:{item.now_ns}"
        case AccountRead():
            return f"read:{item.account.alias}:{item.account.slot}"
        case WalletRead() | EndpointMoved() | MarketRead():
            return _reading_cause(item)


def _reading_cause(item: WalletRead | EndpointMoved | MarketRead) -> str:
    match item:
        case WalletRead():
            return f"count:{item.signer}:{item.slot}:{item.cursor}"
        case EndpointMoved():
            return f"endpoint:{item.endpoint}:{item.now_ns}"
        case MarketRead():
            return f"market:{item.spec.venue}:{item.spec.index}"
