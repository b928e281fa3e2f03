"""A closed file of prices is what was recorded, or it says what is wrong."""

from __future__ import annotations

import gzip
import hashlib

import msgspec
import pytest

from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.prices.price import ENCODER, Price
from gridkeeper_core.prices.segment import segment_gaps, segment_prices, segment_trouble

MARKET = "SOL-PERP"


def content(*seqs: int, market: str = MARKET) -> bytes:
    prices = (Price(market=market, source="s", source_seq=seq, ts_ns=seq, oracle_e6=100) for seq in seqs)
    return gzip.compress(b"".join(ENCODER.encode(price) + b"\n" for price in prices), mtime=0)


def fact(first: int, last: int, body: bytes = b"") -> PriceSegmentClosed:
    return PriceSegmentClosed(
        market=MARKET,
        file=f"{first}.jsonl.gz",
        first_seq=first,
        last_seq=last,
        count=last - first + 1,
        sha256=hashlib.sha256(body).hexdigest(),
    )


def test_a_whole_file_has_no_trouble_and_gives_its_prices() -> None:
    body = content(1, 2, 3)
    assert segment_trouble(fact(1, 3, body), body) == ""
    assert [price.source_seq for price in segment_prices(body)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("seqs", "market"), [((1, 3), MARKET), ((1, 2, 2), MARKET), ((3, 2, 1), MARKET), ((1, 2), MARKET)]
)
def test_a_hole_or_a_double_is_found_even_where_the_hash_is_right(seqs: tuple[int, ...], market: str) -> None:
    body = content(*seqs, market=market)
    assert "1 to 3, each once" in segment_trouble(fact(1, 3, body), body)


def test_prices_of_another_market_are_found() -> None:
    body = content(1, 2, 3, market="BTC-PERP")
    assert "BTC-PERP" in segment_trouble(fact(1, 3, body), body)


def test_a_missing_file_and_a_changed_byte_are_found() -> None:
    body = content(1, 2, 3)
    assert "missing" in segment_trouble(fact(1, 3, body), None)
    for place in range(0, len(body), 7):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert "not those that were recorded" in segment_trouble(fact(1, 3, body), changed)


def test_segments_that_do_not_follow_each_other_are_named_with_what_was_expected() -> None:
    first, second, far = fact(1, 3), fact(4, 6), fact(9, 9)
    assert segment_gaps([first, second]) == []
    assert segment_gaps([first, second, far]) == [(far, 7)]
    assert segment_gaps([first, msgspec.structs.replace(second, first_seq=3)])[0][1] == 4
