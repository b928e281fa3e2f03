"""Puts what keepers did to an account into a transaction of theirs, as the chain would hold it."""

from __future__ import annotations

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.venue.records import (
    CancelRecord,
    FillRecord,
    FundingRecord,
    LiquidationRecord,
    TriggerRecord,
    VenueRecord,
)
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.addresses import PROGRAM_ID
from gridkeeper_drift.codecs.idl import instruction_accounts, instructions
from gridkeeper_sandbox.world import keeper

KEEPER_LAMPORTS = 10**12
"""What a keeper has whenever it pays a fee: it never runs dry."""


def filler() -> Pubkey:
    """The keeper's own User account, which the program names as the one who did it."""
    return addresses.user_address(keeper().pubkey(), 0)


def keeper_transaction(
    user: Pubkey, authority: Pubkey, records: tuple[VenueRecord, ...], blockhash: Hash
) -> VersionedTransaction:
    """A signed transaction whose instruction is the one that leads to such records."""
    name, arguments = _call(records)
    keys = {
        "state": addresses.state_address(),
        "authority": keeper().pubkey(),
        "filler": filler(),
        "liquidator": filler(),
        "liquidator_stats": addresses.user_stats_address(keeper().pubkey()),
        "filler_stats": addresses.user_stats_address(keeper().pubkey()),
        "user": user,
        "user_stats": addresses.user_stats_address(authority),
    }
    metas = [AccountMeta(keys[key], signer, writable) for key, writable, signer in instruction_accounts(name)]
    call = Instruction(PROGRAM_ID, instructions().encode(name, arguments), metas)
    return VersionedTransaction(MessageV0.try_compile(keeper().pubkey(), [call], [], blockhash), [keeper()])


def _call(records: tuple[VenueRecord, ...]) -> tuple[str, dict[str, int | None]]:
    for record in records:
        match record:
            case FillRecord():
                return "fill_perp_order", {"order_id": record.order_id, "maker_order_id": None}
            case TriggerRecord():
                return "trigger_order", {"order_id": record.order_id}
            case FundingRecord():
                return "settle_funding_payment", {}
            case LiquidationRecord():
                size_e9 = abs(record.base_e9)
                wanted = {"market_index": record.market_index, "liquidator_max_base_asset_amount": size_e9}
                return "liquidate_perp", {**wanted, "limit_price": None}
            case CancelRecord():
                continue
            case _:
                raise AssertionError(record)
    return "force_cancel_orders", {}
