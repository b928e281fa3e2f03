"""Oracle accounts of every kind Drift reads here (Pyth Lazer, pull, push; prelaunch), scaled as the program does it.

All arithmetic is in integers, after state/oracle.rs of protocol-v2; no price passes through a float.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from gridkeeper_drift.codecs.idl import CodecError, accounts

_E6 = 10**6
_MULTIPLES = {"": 1, "1K": 1_000, "1M": 1_000_000, "StableCoin": 1}
_LAZER = {f"PythLazer{suffix}": multiple for suffix, multiple in _MULTIPLES.items()}
_PULL = {"PythPull": 1, "Pyth1KPull": 1_000, "Pyth1MPull": 1_000_000, "PythStableCoinPull": 1}
_PUSH = {f"Pyth{suffix}": multiple for suffix, multiple in _MULTIPLES.items()}
_PUSH_MAGIC = 0xA1B2C3D4
_PUSH_TYPE_PRICE = 3
_PUSH_HEAD = struct.Struct("<IIIIIi")
_PUSH_AGGREGATE = struct.Struct("<qQIIQ")
_PUSH_AGGREGATE_AT = 208
_PULL_DISCRIMINATOR = bytes.fromhex("22f123639d7ef4cd")
"""sha256("account:PriceUpdateV2"), its first 8 bytes."""
_PULL_LEVEL_AT = 40
_PULL_PARTIAL = 0
_PULL_MESSAGE = struct.Struct("<32sqQiqqqQ")
_SLOT = struct.Struct("<Q")


class OraclePrice(NamedTuple):
    """A price with the slot it is of and its confidence interval (half width, 1e-6)."""

    price_e6: int
    slot: int
    confidence_e6: int


def decode_oracle(source: str, data: bytes) -> OraclePrice | None:
    """The price in an oracle account of this kind (the market's `oracle_source`), None for a kind not read here.

    Raises CodecError where the account is not of the kind.
    """
    if source in _LAZER:
        oracle = _anchor("PythLazerOracle", data)
        return _scaled(oracle["price"], oracle["conf"], oracle["exponent"], _LAZER[source], oracle["posted_slot"])
    if source == "Prelaunch":
        oracle = _anchor("PrelaunchOracle", data)
        return OraclePrice(oracle["price"], oracle["amm_last_update_slot"], oracle["confidence"])
    if source in _PULL:
        return _pull(data, _PULL[source])
    if source in _PUSH:
        return _push(data, _PUSH[source])
    return None


def vamm_quote(market: Mapping[str, Any]) -> tuple[int, int]:
    """What the market's own maker bids and asks now (1e-6), (0, 0) where it has no reserves; after state/amm.rs."""
    amm = market["amm"]
    peg = amm["peg_multiplier"]
    sides = (
        (amm["bid_quote_asset_reserve"], amm["bid_base_asset_reserve"]),
        (amm["ask_quote_asset_reserve"], amm["ask_base_asset_reserve"]),
    )
    if not all(base for _, base in sides):
        return 0, 0
    bid, ask = (quote * peg // base for quote, base in sides)
    return bid, ask


def _push(data: bytes, multiple: int) -> OraclePrice:
    if len(data) < _PUSH_AGGREGATE_AT + _PUSH_AGGREGATE.size:
        raise CodecError("the data is too short for a Pyth price account")
    magic, _, kind, _, _, exponent = _PUSH_HEAD.unpack_from(data)
    if magic != _PUSH_MAGIC or kind != _PUSH_TYPE_PRICE:
        raise CodecError("this is no Pyth price account")
    price, confidence, _, _, slot = _PUSH_AGGREGATE.unpack_from(data, _PUSH_AGGREGATE_AT)
    return _scaled(price, confidence, exponent, multiple, slot)


def _pull(data: bytes, multiple: int) -> OraclePrice:
    if data[:8] != _PULL_DISCRIMINATOR or len(data) <= _PULL_LEVEL_AT:
        raise CodecError("this is no Pyth price update account")
    # How far the update was verified; only the partial variant carries a number.
    start = _PULL_LEVEL_AT + (2 if data[_PULL_LEVEL_AT] == _PULL_PARTIAL else 1)
    if len(data) < start + _PULL_MESSAGE.size + _SLOT.size:
        raise CodecError("the data is too short for a Pyth price update account")
    _, price, confidence, exponent, *_ = _PULL_MESSAGE.unpack_from(data, start)
    (slot,) = _SLOT.unpack_from(data, start + _PULL_MESSAGE.size)
    return _scaled(price, confidence, exponent, multiple, slot)


def _scaled(price: int, confidence: int, exponent: int, multiple: int, slot: int) -> OraclePrice:
    precision = 10 ** abs(exponent)
    if multiple > precision:
        raise CodecError(f"the oracle's exponent {exponent} is too small for a multiple of {multiple}")
    precision //= multiple
    grow, shrink = max(1, _E6 // precision), max(1, precision // _E6)
    return OraclePrice(price * grow // shrink, slot, confidence * grow // shrink)


def _anchor(name: str, data: bytes) -> dict[str, Any]:
    named = accounts().decode(data)
    if named is None or named.name != name:
        raise CodecError(f"expected an account of type {name}, was {named.name if named else 'unknown'}")
    return named.value
