"""Facts about transactions and the wallet that pays for them, written by execution."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events.base import Fact
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.venue.records import SeenTransaction, VenueAccount
from gridkeeper_core.venue.words import SolKind

# ---- tx:<alias>, written by execution


class CancelRef(msgspec.Struct, frozen=True, kw_only=True):
    """A cancel always names its order completely; one without identity cannot be built."""

    intent_id: str
    attempt: int
    user_order_id: int
    order_id: int


class TransactionSigned(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.signed.v1"):
    """These bytes will be sent, again and again and never others, until they landed or can never land.

    `places` are intent ids with their attempt as `intent#attempt`. `reference_e6` is the price it was checked against,
    `price_seq` that price's place in its feed. `foreign` are order ids it cancels that no intent stands behind.
    """

    signature: str
    bytes_base64: str
    blockhash: str
    last_valid_block_height: int
    purpose: str
    places: tuple[str, ...]
    cancels: tuple[CancelRef, ...]
    reference_e6: int
    price_seq: int
    foreign: tuple[int, ...] = ()


class TransactionLanded(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.landed.v1"):
    """The transaction is on the chain and succeeded. `logs_truncated`: what it placed may be missing in its log."""

    signature: str
    slot: int
    fee_lamports: int
    logs_truncated: bool = False


class TransactionFailed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.failed.v1"):
    """The transaction is on the chain with an error: nothing it asked for was done."""

    signature: str
    slot: int
    fee_lamports: int
    error_code: int | None
    error: str


class TransactionReverted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.reverted.v1"):
    """A transaction of ours that had landed is not on the chain any more: its outcome is open again."""

    signature: str


class TransactionExpired(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.expired.v1"):
    """The transaction is proven never to land: its block height has passed and the chain does not know it."""

    signature: str
    block_height: int


# Inputs as they were met, whole: each is the first fact of the decision it led to, so that it can be made again.


class TransactionMet(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.met.v1"):
    """A transaction that names the account, as the log walker met it: what follows was decided on it."""

    transaction: SeenTransaction


class AccountMet(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.account_met.v1"):
    """The account as it was read, and the settings it was judged by: what follows was decided on it.

    `cursor` is the newest finalized signature whose records are all taken. `endpoints` were asked, `agreed` says
    whether they told the same. `block_time_s` is the chain's clock, 0 where it was not asked for. The settings
    (quote 1e-6) are those of the account's rules. `keeps`: a snapshot was asked for.
    """

    account: VenueAccount
    cursor: str
    cursor_slot: int
    endpoints: int
    agreed: bool
    block_time_s: int
    settle_above_e6: int | None
    watches_sol: bool
    watches_clock: bool
    keeps: bool = False


class MarketMet(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.market_met.v1"):
    """A market as it was read, with its oracle (price and confidence 1e-6, age in slots): what follows came of it."""

    spec: MarketSpec
    oracle_e6: int
    oracle_confidence_e6: int
    oracle_age_slots: int


# ---- wallet:<pubkey>, written by execution


class SolLow(Fact, frozen=True, kw_only=True, tag_field="topic", tag="wallet.sol_low.v1"):
    """The wallet pays fees and is short. `level`: warn, stop_placing."""

    account: str
    lamports: int
    level: Literal["warn", "stop_placing"]


class SolEnough(Fact, frozen=True, kw_only=True, tag_field="topic", tag="wallet.sol_enough.v1"):
    """The wallet can pay fees again."""

    account: str
    lamports: int


class SolMoved(Fact, frozen=True, kw_only=True, tag_field="topic", tag="wallet.sol_moved.v1"):
    """A finalized transaction changed the wallet's balance, by fees it paid and by what `kind` says.

    `fee_lamports` is what the chain takes for signatures, `priority_lamports` what was offered above it; both are 0
    where somebody else paid. The wallet held `before_lamports` before it and `after_lamports` after it.
    """

    kind: SolKind
    before_lamports: int
    after_lamports: int
    fee_lamports: int
    priority_lamports: int
    signature: str
    slot: int


class SolCounted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="wallet.sol_counted.v1"):
    """The wallet's finalized balance at `slot`; every transaction that changed it since the count before is recorded.

    `cursor` is the newest of them ("" for none). `accounts` are those that the wallet signs for. What came before the
    first count is in it.
    """

    lamports: int
    slot: int
    cursor: str
    accounts: tuple[str, ...]
