"""Where things live on the chain: program ids, the accounts derived from seeds, lookup tables."""

from __future__ import annotations

from functools import cache

from driftpy import addresses as driftpy_addresses
from solders.address_lookup_table_account import AddressLookupTable, AddressLookupTableAccount
from solders.pubkey import Pubkey

PROGRAM_ID = Pubkey.from_string("dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH")
"""The program driftpy speaks to; repeated here because the module of driftpy that holds it takes a second to import."""
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED_TOKEN_PROGRAM_ID = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
SYSTEM_PROGRAM_ID = Pubkey.default()
RENT_SYSVAR_ID = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
LOOKUP_TABLE_PROGRAM_ID = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
QUOTE_SPOT_MARKET = 0
"""Index of the spot market whose asset all perpetuals are quoted and settled in."""


@cache
def state_address() -> Pubkey:
    """The one account of the whole exchange."""
    return _pubkey(driftpy_addresses.get_state_public_key(PROGRAM_ID))


@cache
def signer_address() -> Pubkey:
    """The program's own signer, which owns the vaults."""
    return _pubkey(driftpy_addresses.get_drift_client_signer_public_key(PROGRAM_ID))


@cache
def perp_market_address(index: int) -> Pubkey:
    """The account of a perpetual market."""
    return _pubkey(driftpy_addresses.get_perp_market_public_key(PROGRAM_ID, index))


@cache
def spot_market_address(index: int) -> Pubkey:
    """The account of a spot market."""
    return _pubkey(driftpy_addresses.get_spot_market_public_key(PROGRAM_ID, index))


@cache
def spot_vault_address(index: int) -> Pubkey:
    """The token account that holds a spot market's deposits."""
    return _pubkey(driftpy_addresses.get_spot_market_vault_public_key(PROGRAM_ID, index))


@cache
def user_address(authority: Pubkey, sub_account_id: int) -> Pubkey:
    """A sub-account's User account."""
    return _pubkey(driftpy_addresses.get_user_account_public_key(PROGRAM_ID, authority, sub_account_id))


@cache
def user_stats_address(authority: Pubkey) -> Pubkey:
    """An authority's UserStats account, shared by its sub-accounts."""
    return _pubkey(driftpy_addresses.get_user_stats_account_public_key(PROGRAM_ID, authority))


@cache
def token_account_address(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """The associated token account of `owner` for `mint`."""
    seeds = [bytes(owner), bytes(TOKEN_PROGRAM_ID), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM_ID)[0]


def decode_lookup_table(address: Pubkey, data: bytes) -> AddressLookupTableAccount:
    """A lookup table's account as a transaction is compiled against it."""
    return AddressLookupTableAccount(address, list(AddressLookupTable.deserialize(data).addresses))


def _pubkey(value: object) -> Pubkey:
    # driftpy ships no types.
    assert isinstance(value, Pubkey)
    return value
