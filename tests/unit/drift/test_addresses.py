"""Addresses are driftpy's, and lookup tables are read as the chain stores them."""

from __future__ import annotations

import struct

import pytest
from solders.pubkey import Pubkey

from gridkeeper_drift.codecs.addresses import decode_lookup_table, state_address, user_address

TABLE = Pubkey.from_bytes(bytes([9] * 32))


def table_bytes(*keys: Pubkey) -> bytes:
    """Discriminator, deactivation slot (never), last extension, no authority, padding; then the keys."""
    header = struct.pack("<IQQBB", 1, 2**64 - 1, 0, 0, 0).ljust(56, b"\0")
    return header + b"".join(bytes(key) for key in keys)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_lookup_table_holds_its_keys_in_order(count: int) -> None:
    keys = [Pubkey.from_bytes(bytes([number] * 32)) for number in range(count)]
    table = decode_lookup_table(TABLE, table_bytes(*keys))
    assert table.key == TABLE
    assert list(table.addresses) == keys


def test_known_addresses_of_the_mainnet_program() -> None:
    assert str(state_address()) == "5zpq7DvB6UdFFvpmBPspGPNfUGoBRRCE2HHg5u3gxcsN"
    assert user_address(TABLE, 0) != user_address(TABLE, 1)
