"""Accounts of the Drift program are read and written exactly."""

from __future__ import annotations

from typing import Any

import pytest
from solders.pubkey import Pubkey

from gridkeeper_drift.codecs import idl
from gridkeeper_drift.codecs.accounts import (
    PerpMarketRead,
    decode_account,
    deposit_e6,
    market_spec,
    oracle_price,
    referrer_of,
    unsettled_funding_e6,
    venue_account,
)
from gridkeeper_drift.codecs.idl import CodecError
from gridkeeper_drift.codecs.oracles import OraclePrice
from gridkeeper_drift.codecs.user import (
    OrderSlot,
    PerpSlot,
    SpotSlot,
    User,
    UserTail,
    decode_user,
    encode_user,
)
from support.drift_data import recorded_accounts

KNOWN = {"State", "User", "UserStats", "PerpMarket", "SpotMarket", "PythLazerOracle", "PrelaunchOracle"}
AUTHORITY, DELEGATE, STRANGER = (Pubkey.from_bytes(bytes([number] * 32)) for number in (1, 2, 3))


def user(**tail: Any) -> User:
    return User(AUTHORITY, DELEGATE, b"Main".ljust(32), (), (), (), UserTail(**tail))


def market(**amm: Any) -> dict[str, Any]:
    """A perp market with the fields that matter; the rest is zero."""
    blank = idl.accounts().layouts["PerpMarket"].decode(bytes(1208), 0)[0]
    blank["name"] = b"SOL-PERP".ljust(32)
    blank["amm"] |= {"cumulative_funding_rate_long": 0, "cumulative_funding_rate_short": 0, **amm}
    return dict(blank)


def state(**changes: Any) -> dict[str, Any]:
    blank = idl.accounts().layouts["State"].decode(bytes(984), 0)[0]
    blank["perp_fee_structure"]["fee_tiers"] = [
        {**tier, "fee_numerator": fee, "fee_denominator": 100_000, "maker_rebate_numerator": 20,
         "maker_rebate_denominator": 100_000}
        for tier, fee in zip(
            blank["perp_fee_structure"]["fee_tiers"], (100, 90, 80, 70, 60, 50, 0, 0, 0, 0), strict=True
        )
    ]  # fmt: skip
    return {**blank, **changes}


def test_every_recorded_account_is_written_back_byte_for_byte() -> None:
    for row in recorded_accounts():
        if row["type"] in KNOWN:
            named = idl.accounts().decode(row["data"])
            assert named is not None
            assert named.name == row["type"]
            assert idl.accounts().encode(named.name, named.value) == row["data"]


def test_recorded_accounts_say_what_others_read_in_them() -> None:
    for row in recorded_accounts():
        if row["type"] != "PerpMarket":
            continue
        read = decode_account("PerpMarket", row["data"])
        for name in ("orderTickSize", "orderStepSize", "minOrderSize", "cumulativeFundingRateLong", "pegMultiplier"):
            assert read["amm"][idl.snake(name)] == row["summary"][name]
        assert read["margin_ratio_initial"] == row["summary"]["marginRatioInitial"]
        assert bytes(read["name"]).decode().strip("\0 ") == row["summary"]["name"]


def test_the_fast_reading_of_a_user_equals_the_idl_s() -> None:
    for row in recorded_accounts():
        if row["type"] != "User":
            continue
        fast, slow = decode_user(row["data"]), decode_account("User", row["data"])
        assert encode_user(fast) == row["data"]
        assert fast.authority == slow["authority"]
        assert fast.tail.next_order_id == slow["next_order_id"]
        for ours, theirs in zip(fast.orders, slow["orders"], strict=True):
            assert ours.order_id == theirs["order_id"]
            assert ours.price == theirs["price"]
            assert ours.auction_end_price == theirs["auction_end_price"]
            assert idl.variants("OrderStatus")[ours.status] == theirs["status"]
            assert idl.variants("OrderType")[ours.order_type] == theirs["order_type"]
            assert idl.variants("PositionDirection")[ours.direction] == theirs["direction"]
            assert ours.user_order_id == theirs["user_order_id"]
        for position, other in zip(fast.perp_positions, slow["perp_positions"], strict=True):
            assert position._asdict() == other
        for balance, held in zip(fast.spot_positions, slow["spot_positions"], strict=True):
            assert balance.scaled_balance == held["scaled_balance"]
            assert idl.variants("SpotBalanceType")[balance.balance_type] == held["balance_type"]


def test_a_user_made_by_offsets_is_the_idl_s_user() -> None:
    order = OrderSlot(price=150_000_000, base_asset_amount=10**9, order_id=7, status=1, order_type=1, market_type=1,
                      user_order_id=9, direction=1, reduce_only=1, max_ts=99)  # fmt: skip
    written = user(next_order_id=8)._replace(orders=(order,), perp_positions=(PerpSlot(market_index=3),))
    read = decode_account("User", encode_user(written))
    assert read["orders"][0]["price"] == 150_000_000
    assert read["orders"][0]["direction"] == "Short"
    assert read["orders"][0]["status"] == "Open"
    assert read["orders"][1]["status"] == "Init"
    assert read["perp_positions"][0]["market_index"] == 3
    assert idl.accounts().encode("User", read) == encode_user(written)


def test_an_account_of_another_type_is_refused() -> None:
    with pytest.raises(CodecError, match="expected an account of type PerpMarket, was User"):
        decode_account("PerpMarket", encode_user(user()))
    with pytest.raises(CodecError, match="expected a User account"):
        decode_user(encode_user(user())[:-1])


def test_too_many_orders_and_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CodecError, match="at most 32 slots"):
        encode_user(user()._replace(orders=(OrderSlot(),) * 33))
    with pytest.raises(CodecError, match="does not fit"):
        encode_user(user(next_order_id=2**32))


def test_a_deposit_is_rounded_down_and_a_debt_up() -> None:
    quote = {"cumulative_deposit_interest": 10_000_000_001, "cumulative_borrow_interest": 10_000_000_001}
    deposited = user()._replace(spot_positions=(SpotSlot(scaled_balance=10**12),))
    owed = user()._replace(spot_positions=(SpotSlot(scaled_balance=10**12, balance_type=1),))
    assert deposit_e6(deposited, quote) == 1_000_000_000
    assert deposit_e6(owed, quote) == -1_000_000_001


def test_a_deposit_of_another_asset_is_not_quote() -> None:
    quote = {"cumulative_deposit_interest": 10**10, "cumulative_borrow_interest": 10**10}
    other = user()._replace(spot_positions=(SpotSlot(scaled_balance=10**12, market_index=1),))
    assert deposit_e6(other, quote) == 0


@pytest.mark.parametrize(
    ("base_e9", "last", "long", "short", "expected_e6"),
    [
        (2 * 10**9, 0, 5_000_000_000, 0, -10_000_000),
        (2 * 10**9, 0, -5_000_000_000, 0, 10_000_000),
        (-2 * 10**9, 0, 0, 5_000_000_000, 10_000_000),
        (-1, 0, 0, -1, 0),
        (10**9, 7, 7, 0, 0),
    ],
)
def test_longs_pay_shorts_when_the_funding_rate_rises(
    base_e9: int, last: int, long: int, short: int, expected_e6: int
) -> None:
    position = PerpSlot(base_asset_amount=base_e9, last_cumulative_funding_rate=last)
    funded = market(cumulative_funding_rate_long=long, cumulative_funding_rate_short=short)
    assert unsettled_funding_e6(position, funded) == expected_e6


def test_fees_follow_volume_stake_and_the_market_s_adjustment() -> None:
    stats = {"taker_volume30d": 0, "maker_volume30d": 0, "if_staked_gov_token_amount": 0}
    plain = market_spec(market(), state(), stats)
    assert (plain.taker_fee_e5, plain.maker_fee_e5) == (100, -20)
    traded = market_spec(market(), state(), {**stats, "maker_volume30d": 2_000_000 * 10**6})
    assert (traded.taker_fee_e5, traded.maker_fee_e5) == (90, -20)
    staked = market_spec(market(), state(), {**stats, "if_staked_gov_token_amount": 1_000 * 10**6})
    assert (staked.taker_fee_e5, staked.maker_fee_e5) == (95, -21)
    dearer = market_spec({**market(), "fee_adjustment": 25}, state(), stats)
    assert (dearer.taker_fee_e5, dearer.maker_fee_e5) == (125, -25)
    cheaper = market_spec({**market(), "fee_adjustment": -99}, state(), stats)
    assert (cheaper.taker_fee_e5, cheaper.maker_fee_e5) == (1, 0)


def test_a_market_is_paused_when_the_whole_exchange_is() -> None:
    active = {**market(), "status": "Active"}
    assert market_spec(active, state()).status == "active"
    assert market_spec(active, state(exchange_status=0xFF)).status == "paused"
    assert market_spec({**active, "status": "ReduceOnly"}, state()).status == "reduce-only"
    assert market_spec({**active, "status": "AmmPaused"}, state()).status == "paused"


@pytest.mark.parametrize(
    ("source", "price", "exponent", "expected_e6"),
    [
        ("PythLazer", 15_012_345_678, -8, 150_123_456),
        ("PythLazer", 1_501, -1, 150_100_000),
        ("PythLazer1K", 2_468_000, -8, 24_680_000),
        ("PythLazer1M", 123_456, -10, 12_345_600),
    ],
)
def test_a_lazer_price_is_scaled_without_a_float(source: str, price: int, exponent: int, expected_e6: int) -> None:
    account = {"price": price, "publish_time": 0, "posted_slot": 77, "exponent": exponent, "conf": 0}
    data = idl.accounts().encode("PythLazerOracle", {**account, "padding": bytes(4)})
    assert oracle_price(market(oracle_source=source), data) == OraclePrice(expected_e6, 77, 0)


def test_recorded_lazer_oracles_are_read() -> None:
    rows = [row for row in recorded_accounts() if row["type"] == "PythLazerOracle"]
    assert rows
    for row in rows:
        assert oracle_price(market(oracle_source="PythLazer"), row["data"]).price_e6 > 0


def test_an_oracle_kind_not_read_here_falls_back_to_the_price_the_market_used() -> None:
    used = market(oracle_source="SwitchboardOnDemand", last_update_slot=500)
    used["amm"]["historical_oracle_data"] |= {"last_oracle_price": 7, "last_oracle_delay": 4, "last_oracle_conf": 2}
    assert oracle_price(used, b"whatever") == OraclePrice(7, 496, 2)


def test_a_sub_account_is_told_in_our_own_terms() -> None:
    resting = OrderSlot(price=150, base_asset_amount=20, base_asset_amount_filled=5, order_id=7, status=1, order_type=1,
                        market_type=1, user_order_id=9, direction=1, market_index=3)  # fmt: skip
    closed, spot = resting._replace(status=3), resting._replace(market_type=0)
    stop = resting._replace(order_type=2, trigger_price=140, order_id=8)
    triggered = stop._replace(trigger_condition=3, order_id=9)
    position = PerpSlot(base_asset_amount=-5, quote_asset_amount=70, quote_entry_amount=71, market_index=3)
    account = venue_account(
        "main",
        55,
        user(next_order_id=10, status=1)._replace(
            orders=(resting, closed, spot, stop, triggered), perp_positions=(position, PerpSlot())
        ),
        {"cumulative_deposit_interest": 10**10, "cumulative_borrow_interest": 10**10},
        {3: PerpMarketRead(market(), OraclePrice(160, 54, 0))},
        DELEGATE,
        lamports=12,
    )
    assert [(order.order_id, order.order_type, order.side) for order in account.orders] == [
        (7, "limit", "sell"),
        (8, "trigger_market", "sell"),
        (9, "market", "sell"),
    ]
    assert account.orders[0].filled_e9 == 5
    assert [(p.market, p.base_e9, p.quote_entry_e6, p.oracle_e6) for p in account.positions] == [
        ("SOL-PERP", -5, 71, 160)
    ]
    assert account.being_liquidated
    assert account.signer_may_trade
    assert account.next_order_id == 10


def test_a_stranger_s_key_may_not_trade() -> None:
    account = venue_account(
        "main", 1, user(), {"cumulative_deposit_interest": 1, "cumulative_borrow_interest": 1}, {}, STRANGER, lamports=0
    )
    assert not account.signer_may_trade


def test_an_authority_knows_who_referred_it() -> None:
    rows = [row for row in recorded_accounts() if row["type"] == "UserStats"]
    referrers = [referrer_of(decode_account("UserStats", row["data"])) for row in rows]
    assert [str(referrer) for referrer in referrers if referrer is not None] == [
        "49uWJR1Da1ikZJaBQLE9z4n5cdjvEHp47Vm9YgX9eiw9",
        "ChDKbgRdzPijxf8THpbFrDyisatnMMDjYUMBtpA6U5pp",
    ]
    assert referrer_of(None) is None
