"""What a signing agent lets pass: orders of one sub-account inside of bands, cancels, settling; never moving money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from solders.instruction import CompiledInstruction
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey

from gridkeeper_core.venue.records import WHOLE_POSITION_E9
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.idl import CodecError, instruction_accounts, instructions

_COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
_SET_UNIT_LIMIT, _SET_UNIT_PRICE = 2, 3
_CANCELS = {"cancel_orders_by_ids", "cancel_orders", "settle_pnl"}
_PLACES = {"place_orders", "place_and_take_perp_order"}
_MICRO = 1_000_000
_UNITS_MAX = 1_400_000


class RefusedError(Exception):
    """Why a message is not signed."""


class Band(NamedTuple):
    """What may be ordered in one market: a largest size of one order and the prices between which it must lie."""

    max_size_e9: int
    low_e6: int
    high_e6: int


class AgentPolicy(NamedTuple):
    """One sub-account, the bands by market index, and the highest priority fee of one transaction (lamports)."""

    authority: Pubkey
    sub_account_id: int
    bands: Mapping[int, Band]
    max_priority_lamports: int = 1_000_000


def check(message_bytes: bytes, signer: Pubkey, policy: AgentPolicy) -> None:
    """Returns where `signer` may sign these bytes. Raises RefusedError."""
    message = _message(message_bytes)
    keys = message.account_keys
    if message.header.num_required_signatures != 1 or keys[0] != signer:
        raise RefusedError("the agent signs only transactions that it alone signs and pays for")
    limit, price = _UNITS_MAX, 0
    for part in message.instructions:
        program = keys[part.program_id_index]
        if program == _COMPUTE_BUDGET:
            kind, value = _budget(bytes(part.data))
            limit, price = (value, price) if kind == _SET_UNIT_LIMIT else (limit, value)
        elif program == addresses.PROGRAM_ID:
            _check_ours(part, keys, signer, policy)
        else:
            raise RefusedError(f"program {program} is not Drift's")
    if limit * price > policy.max_priority_lamports * _MICRO:
        raise RefusedError(f"the priority fee is above {policy.max_priority_lamports} lamports")


def _message(message_bytes: bytes) -> Message | MessageV0:
    try:
        return from_bytes_versioned(message_bytes)
    except ValueError as error:
        raise RefusedError("the bytes are no transaction") from error


def _budget(data: bytes) -> tuple[int, int]:
    if not data or data[0] not in (_SET_UNIT_LIMIT, _SET_UNIT_PRICE):
        raise RefusedError("this setting of the compute budget is not allowed")
    return data[0], int.from_bytes(data[1:], "little")


def _check_ours(part: CompiledInstruction, keys: Sequence[Pubkey], signer: Pubkey, policy: AgentPolicy) -> None:
    try:
        found = instructions().decode(bytes(part.data))
    except CodecError as error:
        raise RefusedError(f"an instruction cannot be read: {error}") from error
    if found is None or found.name not in _CANCELS | _PLACES:
        raise RefusedError(f"{found.name if found else 'an unknown instruction'} is not allowed")
    named = _named_accounts(found.name, part, keys)
    user = addresses.user_address(policy.authority, policy.sub_account_id)
    if named["user"] != user or named["authority"] != signer:
        raise RefusedError("the instruction is for another account")
    if found.name == "place_orders":
        for params in found.value["params"]:
            _check_order(params, policy)
    elif found.name in _PLACES:
        _check_order(found.value["params"], policy)


def _named_accounts(name: str, part: CompiledInstruction, keys: Sequence[Pubkey]) -> dict[str, Pubkey | None]:
    # An index beyond the static keys is of a lookup table, whose content the agent cannot see.
    indexes = list(part.accounts)
    names = [account for account, _, _ in instruction_accounts(name)]
    if len(indexes) < len(names):
        raise RefusedError(f"{name} lacks accounts")
    return {account: keys[index] if index < len(keys) else None for account, index in zip(names, indexes, strict=False)}


def _check_order(params: Mapping[str, Any], policy: AgentPolicy) -> None:
    band = policy.bands.get(params["market_index"]) if params["market_type"] == "Perp" else None
    if band is None:
        raise RefusedError(f"market {params['market_index']} ({params['market_type']}) is not allowed")
    size, reduces = params["base_asset_amount"], params["reduce_only"]
    if size > band.max_size_e9 and not (reduces and size == WHOLE_POSITION_E9):
        raise RefusedError(f"size {size} is above {band.max_size_e9}")
    if params["oracle_price_offset"] or params["auction_start_price"] or params["auction_end_price"]:
        raise RefusedError("prices that follow the oracle or an auction are not allowed")
    prices = [price for price in (params["price"], params["trigger_price"]) if price]
    if not reduces and not params["price"]:
        raise RefusedError("an order without a price may only reduce")
    if not all(band.low_e6 <= price <= band.high_e6 for price in prices):
        raise RefusedError(f"a price is not between {band.low_e6} and {band.high_e6}")
