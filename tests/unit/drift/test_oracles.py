"""Oracle accounts of every kind, scaled in integers, and what the market's own maker quotes."""

from __future__ import annotations

import struct

import pytest
from solders.pubkey import Pubkey

from gridkeeper_drift.codecs.accounts import decode_account
from gridkeeper_drift.codecs.idl import CodecError
from gridkeeper_drift.codecs.oracles import OraclePrice, decode_oracle, vamm_quote
from support.drift_data import recorded_accounts

FEED = bytes(Pubkey.from_bytes(bytes([8] * 32)))
PULL_NAME = bytes.fromhex("22f123639d7ef4cd")


def pull(price: int, conf: int, exponent: int, *, slot: int = 42, partial: bool = False) -> bytes:
    """A Pyth price update account as its program writes it."""
    level = bytes([0, 5]) if partial else bytes([1])
    message = struct.pack("<32sqQiqqqQ", FEED, price, conf, exponent, 1_790_000_000, 1_790_000_000, price, conf)
    return PULL_NAME + bytes(32) + level + message + struct.pack("<Q", slot) + bytes(8)


@pytest.mark.parametrize("partial", [False, True])
def test_a_pull_oracle_is_read_whatever_its_level_of_verification(partial: bool) -> None:
    data = pull(15_012_345_678, 2_500_000, -8, partial=partial)
    assert decode_oracle("PythPull", data) == OraclePrice(150_123_456, 42, 25_000)


@pytest.mark.parametrize(
    ("source", "exponent", "price", "expected_e6"),
    [
        ("Pyth1KPull", -10, 245_600, 24_560),
        ("Pyth1MPull", -10, 89, 8_900),
        ("PythStableCoinPull", -8, 99_990_000, 999_900),
        ("PythPull", -5, 15_012_345, 150_123_450),
    ],
)
def test_a_multiple_scales_price_and_confidence_alike(source: str, exponent: int, price: int, expected_e6: int) -> None:
    found = decode_oracle(source, pull(price, price, exponent))
    assert found is not None
    assert (found.price_e6, found.confidence_e6) == (expected_e6, expected_e6)


def test_recorded_push_oracles_are_read_as_their_aggregate() -> None:
    rows = [row for row in recorded_accounts() if row["type"] == "PythV1Price"]
    assert rows
    for row in rows:
        fields = (("<i", 20), ("<q", 208), ("<Q", 216), ("<Q", 232))
        exponent, price, conf, slot = (struct.unpack_from(form, row["data"], at)[0] for form, at in fields)
        found = decode_oracle("Pyth", row["data"])
        scale = 10 ** (6 + exponent) if exponent >= -6 else 1
        shrink = 1 if exponent >= -6 else 10 ** (-6 - exponent)
        assert found == OraclePrice(price * scale // shrink, slot, conf * scale // shrink)


@pytest.mark.parametrize("source", ["Pyth", "PythPull", "PythLazer", "Prelaunch"])
@pytest.mark.parametrize("data", [b"", b"whatever", PULL_NAME, PULL_NAME + bytes(50), bytes(3312)])
def test_an_account_of_another_kind_is_refused(source: str, data: bytes) -> None:
    with pytest.raises(CodecError):
        decode_oracle(source, data)


def test_a_kind_that_is_not_read_here_is_none() -> None:
    assert decode_oracle("SwitchboardOnDemand", b"") is None


def test_the_maker_of_a_recorded_market_bids_below_what_it_asks() -> None:
    quotes = []
    for row in recorded_accounts():
        if row["type"] == "PerpMarket":
            market = decode_account("PerpMarket", row["data"])
            bid_e6, ask_e6 = vamm_quote(market)
            quotes.append((bid_e6, ask_e6, market["amm"]["historical_oracle_data"]["last_oracle_price"]))
    assert len(quotes) == 18
    assert all(bid_e6 <= ask_e6 for bid_e6, ask_e6, _ in quotes)
    # Markets with a live price quote around it.
    near = [
        oracle_e6 // 2 < bid_e6 <= ask_e6 < oracle_e6 * 2 for bid_e6, ask_e6, oracle_e6 in quotes if oracle_e6 > 1_000
    ]
    assert sum(near) >= len(near) - 2 > 0
