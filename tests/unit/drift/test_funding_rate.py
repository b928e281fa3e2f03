"""The funding rate that a market's account tells, per hour and as a share of the price."""

from __future__ import annotations

from typing import Any

import pytest

from gridkeeper_drift.codecs.accounts import decode_account, funding_of
from support.drift_data import recorded_accounts


def market(**amm: int) -> dict[str, Any]:
    told = {"last_funding_rate": 0, "last_funding_rate_ts": 1_700_000_000, "funding_period": 3600}
    return {"name": b"SOL-PERP".ljust(32), "amm": told | amm}


@pytest.mark.parametrize(
    ("rate_e9", "period_s", "paid_hour_e9"),
    [
        # 0.0015 USDC per SOL and hour, at 150 USDC: 0.00001 of the notional.
        (1_500_000, 3600, 10_000),
        # Shorts pay; a remainder goes against the longs.
        (-1_500_001, 3600, -10_001),
        # The same for a quarter of an hour is four times as much per hour.
        (1_500_000, 900, 40_000),
    ],
)
def test_longs_pay_the_rate_of_a_period_as_a_share_of_the_price_per_hour(
    rate_e9: int, period_s: int, paid_hour_e9: int
) -> None:
    found = funding_of(market(last_funding_rate=rate_e9, funding_period=period_s), 150_000_000)

    assert found is not None
    assert (found.market, found.paid_hour_e9, found.at_ns) == ("SOL-PERP", paid_hour_e9, 1_700_000_000 * 10**9)


def test_a_market_that_never_set_a_rate_has_none() -> None:
    assert funding_of(market(last_funding_rate_ts=0), 150_000_000) is None
    assert funding_of(market(funding_period=0), 150_000_000) is None
    assert funding_of(market(), 0) is None


def test_a_real_market_told_a_rate_of_two_thousandths_of_a_percent() -> None:
    found = next(
        decode_account("PerpMarket", row["data"])
        for row in recorded_accounts()
        if row["type"] == "PerpMarket" and row["summary"]["name"] == "BTC-PERP"
    )

    rate = funding_of(found, 119_900_000_000)

    # 2.839920958 USDC per BTC and hour, at 119,900.
    assert rate is not None
    assert (rate.market, rate.paid_hour_e9) == ("BTC-PERP", 23_685)
