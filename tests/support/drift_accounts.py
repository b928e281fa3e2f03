"""A small Drift exchange as encoded accounts, for an endpoint that serves them: two markets, one sub-account."""

from __future__ import annotations

import base64
from typing import Any

from solders.pubkey import Pubkey

from gridkeeper_drift.codecs import addresses, idl
from gridkeeper_drift.codecs.user import OrderSlot, PerpSlot, SpotSlot, User, UserTail, encode_user
from support.scripted_rpc import ScriptedEndpoint, in_context

SOL_ORACLE, BTC_ORACLE, QUOTE_ORACLE, MINT = (Pubkey.from_bytes(bytes([number] * 32)) for number in (21, 22, 23, 24))
RESTING = OrderSlot(price=150_000_000, base_asset_amount=10**9, order_id=7, status=1, order_type=1, market_type=1,
                    user_order_id=9, post_only=1)  # fmt: skip
HELD_BTC = PerpSlot(base_asset_amount=10**6, quote_asset_amount=-60_000_000, quote_entry_amount=-60_000_000,
                    quote_break_even_amount=-60_000_000, market_index=1)  # fmt: skip


def served(endpoint: ScriptedEndpoint, accounts: dict[Pubkey, bytes], *, slot: int = 100) -> None:
    """Makes the endpoint answer reads of these accounts."""
    rows = {str(key): _row(data) for key, data in accounts.items()}
    endpoint.answers["getMultipleAccounts"] = lambda params: in_context(slot, [rows.get(key) for key in params[0]])
    endpoint.answers["getAccountInfo"] = lambda params: in_context(slot, rows.get(params[0]))


def exchange(owner: Pubkey, delegate: Pubkey) -> dict[Pubkey, bytes]:
    """Every account of the exchange, encoded."""
    return {
        addresses.state_address(): _encoded("State", _state()),
        addresses.spot_market_address(0): _encoded("SpotMarket", _quote_market()),
        addresses.perp_market_address(0): _encoded("PerpMarket", _market(0, "SOL-PERP", SOL_ORACLE)),
        addresses.perp_market_address(1): _encoded("PerpMarket", _market(1, "BTC-PERP", BTC_ORACLE)),
        SOL_ORACLE: _oracle(15_000_000_000),
        BTC_ORACLE: _oracle(6_000_000_000_000),
        QUOTE_ORACLE: _oracle(100_000_000),
        addresses.user_stats_address(owner): _encoded("UserStats", {**_blank("UserStats", 240), "authority": owner}),
        addresses.user_address(owner, 0): encode_user(_user(owner, delegate)),
        delegate: b"",
    }


def _user(owner: Pubkey, delegate: Pubkey) -> User:
    spot = SpotSlot(scaled_balance=5_000 * 10**9)
    tail = UserTail(next_order_id=8, open_orders=1, has_open_order=1)
    position = PerpSlot(market_index=0, open_orders=1, open_bids=10**9)
    return User(owner, delegate, b"Main".ljust(32), (spot,), (position, HELD_BTC), (RESTING,), tail)


def _state() -> dict[str, Any]:
    state = _blank("State", 992)
    tier = {"fee_numerator": 100, "fee_denominator": 100_000, "maker_rebate_numerator": 20,
            "maker_rebate_denominator": 100_000}  # fmt: skip
    fees = state["perp_fee_structure"]
    fees["fee_tiers"] = [{**blank, **tier} for blank in fees["fee_tiers"]]
    return {**state, "number_of_markets": 2, "number_of_spot_markets": 1}


def _quote_market() -> dict[str, Any]:
    interest = {"cumulative_deposit_interest": 10**10, "cumulative_borrow_interest": 10**10}
    weights = {"initial_asset_weight": 10_000, "maintenance_asset_weight": 10_000, "initial_liability_weight": 10_000,
               "maintenance_liability_weight": 10_000}  # fmt: skip
    named = {"pubkey": addresses.spot_market_address(0), "name": b"USDC".ljust(32), "mint": MINT, "decimals": 6}
    oracle = {"oracle": QUOTE_ORACLE, "oracle_source": "PythLazerStableCoin", "status": "Active"}
    return {**_blank("SpotMarket", 776), **interest, **weights, **named, **oracle}


def _market(index: int, name: str, oracle: Pubkey) -> dict[str, Any]:
    market = _blank("PerpMarket", 1216)
    market["amm"] |= {"oracle": oracle, "oracle_source": "PythLazer", "order_tick_size": 100,
                      "order_step_size": 10**7, "min_order_size": 10**7}  # fmt: skip
    ratios = {"margin_ratio_initial": 1_000, "margin_ratio_maintenance": 500}
    named = {"pubkey": addresses.perp_market_address(index), "market_index": index, "name": name.encode().ljust(32)}
    return {**market, **ratios, **named, "status": "Active"}


def _oracle(price_e8: int) -> bytes:
    return _encoded("PythLazerOracle", {**_blank("PythLazerOracle", 48), "price": price_e8, "posted_slot": 99,
                                        "exponent": -8, "conf": 1_000})  # fmt: skip


def _blank(name: str, size: int) -> dict[str, Any]:
    value, _ = idl.accounts().layouts[name].decode(bytes(size), 8)
    assert isinstance(value, dict)
    return value


def _encoded(name: str, value: dict[str, Any]) -> bytes:
    return idl.accounts().encode(name, value)


def _row(data: bytes) -> dict[str, Any]:
    return {
        "data": [base64.b64encode(data).decode(), "base64"],
        "lamports": 2_000_000_000,
        "owner": str(addresses.PROGRAM_ID),
        "executable": False,
        "rentEpoch": 0,
        "space": len(data),
    }
