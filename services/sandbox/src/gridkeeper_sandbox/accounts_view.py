"""The chain's accounts as bytes: the exchange, markets, oracles, sub-accounts, wallets, tokens, lookup tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E6
from gridkeeper_core.venue.margin import open_bids_asks_e9
from gridkeeper_core.venue.state import Account, Market, MarketRules, Order, slot_at
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.idl import accounts
from gridkeeper_drift.codecs.user import OrderSlot, PerpSlot, SpotSlot, User, UserTail, encode_user
from gridkeeper_sandbox.program import USER_RENT_LAMPORTS, USER_STATS_RENT_LAMPORTS
from gridkeeper_sandbox.world import QUOTE_MINT, SubAccount, World, well_known

LOOKUP_TABLES = (
    Pubkey.from_string("Fpys8GRa5RBWfyeN7AaDUwFGD1zkDCA4z3t4CJLV8dfL"),
    Pubkey.from_string("EiWSskK5HXnBTptiS5DH6gpAJRVNQ3cAhTKBGaiaysAb"),
)
"""Where clients look for the tables of the cluster they take this one for."""
RENT_PER_BYTE_LAMPORTS = 6960
_ACCOUNT_OVERHEAD_BYTES = 128
_BLANK_BYTES = bytes(8192)
_FEE_DENOMINATOR = 100_000
_INTEREST_ONE = 10**10
_BALANCE_PER_E6 = 10**3
_LAZER_EXPONENT = -8
_PERCENT = 10**6
_FUNDING_PERIOD_S = 3600
_LIQUIDITY = 10**15
_ORDER_TYPES = {"market": 0, "limit": 1, "trigger_market": 2, "trigger_limit": 3}
_STATUSES = {"open": 1, "filled": 2, "cancelled": 3}
_MARKET_STATUSES = {
    "initialized": "Initialized",
    "active": "Active",
    "reduce-only": "ReduceOnly",
    "paused": "Active",
    "settlement": "Settlement",
    "delisted": "Delisted",
}
_QUOTE_ORACLE = well_known("oracle USDC")


class AccountBytes(NamedTuple):
    """One account as the endpoint serves it."""

    data: bytes
    lamports: int
    owner: Pubkey


def rent_lamports(size: int) -> int:
    """What an account of this size must hold to stay."""
    return (size + _ACCOUNT_OVERHEAD_BYTES) * RENT_PER_BYTE_LAMPORTS


class AccountsView:
    """Reads any account of a world; encodes one again only when it changed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._encoded: dict[Pubkey, tuple[object, AccountBytes]] = {}
        self._makers: dict[Pubkey, Callable[[], AccountBytes]] = {
            addresses.state_address(): self._state,
            addresses.spot_market_address(addresses.QUOTE_SPOT_MARKET): self._quote_market,
            _QUOTE_ORACLE: lambda: _oracle(E6, self._world.venue.now_ns),
        }
        for index, market in world.venue.markets.items():
            self._makers[addresses.perp_market_address(index)] = lambda index=index: self._market(index)  # type: ignore[misc]
            self._makers[market_oracle(market.spec)] = lambda index=index: self._market_oracle(index)  # type: ignore[misc]
        self.tables: dict[Pubkey, Sequence[Pubkey]] = dict.fromkeys(LOOKUP_TABLES, tuple(self._makers))
        """The lookup tables by address; all hold the accounts that every order transaction names."""

    def read(self, key: Pubkey) -> AccountBytes | None:
        """The account as of now; None where there is none."""
        if key in self._makers:
            return self._makers[key]()
        if key in self._world.users:
            return self._user(key)
        if key in self.tables:
            return _lookup_table(self.tables[key])
        if key in self._world.tokens:
            held = self._world.tokens[key]
            return _owned(_token_account(held.owner, held.amount_e6), addresses.TOKEN_PROGRAM_ID)
        stats = next((owner for owner in self._world.created if addresses.user_stats_address(owner) == key), None)
        if stats is not None:
            return self._user_stats(stats)
        lamports = self._world.lamports.get(key)
        return None if lamports is None else AccountBytes(b"", lamports, addresses.SYSTEM_PROGRAM_ID)

    def program_accounts(self) -> list[Pubkey]:
        """Every account the Drift program owns."""
        stats = [addresses.user_stats_address(owner) for owner in self._world.created]
        return [*self._makers, *self._world.users, *stats]

    def _state(self) -> AccountBytes:
        venue = self._world.venue
        rules = next(iter(venue.markets.values())).rules
        return self._cached(
            addresses.state_address(),
            (rules, venue.exchange_status, len(venue.markets), len(self._world.users), len(self._world.created)),
            lambda: _program("State", _state_value(self._world, rules)),
        )

    def _market(self, index: int) -> AccountBytes:
        key = addresses.perp_market_address(index)
        market = self._world.venue.markets[index]
        return self._cached(key, market, lambda: _program("PerpMarket", _market_value(market, key)))

    def _market_oracle(self, index: int) -> AccountBytes:
        market = self._world.venue.markets[index]
        return _oracle(market.oracle_e6, market.price_ns, market.confidence_e6)

    def _quote_market(self) -> AccountBytes:
        key = addresses.spot_market_address(addresses.QUOTE_SPOT_MARKET)
        total_e6 = sum(max(0, held.deposit_e6) for held in self._world.venue.accounts.values())
        return self._cached(key, total_e6, lambda: _program("SpotMarket", _quote_market_value(key, total_e6)))

    def _user(self, key: Pubkey) -> AccountBytes:
        sub_account, held = self._world.users[key], self._world.venue.accounts[str(key)]
        status = self._world.venue.user_status(str(key))

        def encoded() -> AccountBytes:
            user = _user_value(sub_account, held, status)
            return AccountBytes(encode_user(user), USER_RENT_LAMPORTS, addresses.PROGRAM_ID)

        return self._cached(key, (sub_account, held, status), encoded)

    def _user_stats(self, authority: Pubkey) -> AccountBytes:
        count = self._world.created[authority]
        value = _blank("UserStats") | {
            "authority": authority,
            "number_of_sub_accounts": count,
            "number_of_sub_accounts_created": count,
        }
        data = accounts().encode("UserStats", value)
        return AccountBytes(data, USER_STATS_RENT_LAMPORTS, addresses.PROGRAM_ID)

    def _cached(self, key: Pubkey, source: object, make: Callable[[], AccountBytes]) -> AccountBytes:
        held = self._encoded.get(key)
        if held is None or held[0] != source:
            held = self._encoded[key] = (source, make())
        return held[1]


def market_oracle(spec: MarketSpec) -> Pubkey:
    """The oracle account of a market."""
    return well_known(f"oracle {spec.symbol}")


def _user_value(sub_account: SubAccount, held: Account, status: int) -> User:
    open_orders = held.open_orders
    indexes = sorted(held.positions.keys() | {order.market_index for order in open_orders})
    deposit = SpotSlot(
        scaled_balance=abs(held.deposit_e6) * _BALANCE_PER_E6,
        cumulative_deposits=held.deposited_e6 - held.withdrawn_e6,
        balance_type=int(held.deposit_e6 < 0),
    )
    return User(
        authority=sub_account.authority,
        delegate=sub_account.delegate,
        name=sub_account.name,
        spot_positions=(deposit,),
        perp_positions=tuple(_perp_slot(held, open_orders, index) for index in indexes),
        orders=tuple(_order_slot(order) for order in held.slots),
        tail=UserTail(
            total_deposits=held.deposited_e6,
            total_withdraws=held.withdrawn_e6,
            settled_perp_pnl=held.settled_pnl_e6,
            cumulative_perp_funding=held.funding_e6,
            next_order_id=held.next_order_id,
            sub_account_id=sub_account.sub_account_id,
            status=status,
            open_orders=len(open_orders),
            has_open_order=int(bool(open_orders)),
        ),
    )


def _perp_slot(held: Account, open_orders: Sequence[Order], index: int) -> PerpSlot:
    position = held.position(index)
    bids, asks = open_bids_asks_e9(open_orders, index)
    return PerpSlot(
        last_cumulative_funding_rate=position.last_funding_rate_e9,
        base_asset_amount=position.base_e9,
        quote_asset_amount=position.quote_asset_e6,
        quote_break_even_amount=position.quote_break_even_e6,
        quote_entry_amount=position.quote_entry_e6,
        open_bids=bids,
        open_asks=asks,
        settled_pnl=position.settled_pnl_e6,
        market_index=index,
        open_orders=sum(order.market_index == index for order in open_orders),
    )


def _order_slot(order: Order) -> OrderSlot:
    return OrderSlot(
        slot=order.slot,
        price=order.price_e6,
        base_asset_amount=order.size_e9,
        base_asset_amount_filled=order.filled_e9,
        quote_asset_amount_filled=order.filled_quote_e6,
        trigger_price=order.trigger_e6,
        max_ts=order.max_ts,
        order_id=order.order_id,
        market_index=order.market_index,
        status=_STATUSES[order.status],
        order_type=_ORDER_TYPES[order.order_type],
        market_type=1,
        user_order_id=order.user_order_id,
        direction=int(order.side == "sell"),
        reduce_only=int(order.reduce_only),
        post_only=int(order.post_only),
        immediate_or_cancel=int(order.immediate_or_cancel),
        trigger_condition=(0 if order.trigger_above else 1) + (2 if order.triggered else 0),
        posted_slot_tail=order.slot % 256,
    )


def _state_value(world: World, rules: MarketRules) -> Mapping[str, Any]:
    blank = _blank("State")
    tier = {
        "fee_numerator": rules.spec.taker_fee_e5,
        "fee_denominator": _FEE_DENOMINATOR,
        "maker_rebate_numerator": -rules.spec.maker_fee_e5,
        "maker_rebate_denominator": _FEE_DENOMINATOR,
        "referrer_reward_numerator": 0,
        "referrer_reward_denominator": _FEE_DENOMINATOR,
        "referee_fee_numerator": 0,
        "referee_fee_denominator": _FEE_DENOMINATOR,
    }
    fees = blank["perp_fee_structure"] | {"fee_tiers": [tier] * 10, "flat_filler_fee": rules.keeper_fee_e6}
    guards = {
        "price_divergence": {
            "mark_oracle_percent_divergence": _PERCENT // 10,
            "oracle_twap5min_percent_divergence": _PERCENT // 2,
        },
        "validity": {
            "slots_before_stale_for_amm": 10,
            "slots_before_stale_for_margin": 120,
            "confidence_interval_max_size": _PERCENT // 50,
            "too_volatile_ratio": 5,
        },
    }
    return blank | {
        "admin": well_known("admin"),
        "signer": addresses.signer_address(),
        "perp_fee_structure": fees,
        "spot_fee_structure": fees,
        "oracle_guard_rails": guards,
        "number_of_authorities": len(world.created),
        "number_of_sub_accounts": len(world.users),
        "liquidation_margin_buffer_ratio": 200,
        "number_of_markets": len(world.venue.markets),
        "number_of_spot_markets": 1,
        "min_perp_auction_duration": 10,
        "default_market_order_time_in_force": 60,
        "exchange_status": world.venue.exchange_status,
        "max_number_of_sub_accounts": 65_535,
    }


def _market_value(market: Market, key: Pubkey) -> Mapping[str, Any]:
    spec, blank = market.spec, _blank("PerpMarket")
    half_spread = market.rules.spread_bps * 50  # 1e-4 to 1e-6, half on each side
    amm = blank["amm"] | {
        "oracle": market_oracle(spec),
        "oracle_source": "PythLazer",
        "historical_oracle_data": _history(market.oracle_e6, market.price_ns, market.confidence_e6),
        "base_asset_reserve": _LIQUIDITY,
        "quote_asset_reserve": _LIQUIDITY,
        "ask_base_asset_reserve": _LIQUIDITY,
        "ask_quote_asset_reserve": _LIQUIDITY,
        "bid_base_asset_reserve": _LIQUIDITY,
        "bid_quote_asset_reserve": _LIQUIDITY,
        "terminal_quote_asset_reserve": _LIQUIDITY,
        "sqrt_k": _LIQUIDITY,
        "concentration_coef": 1_207_100,
        "min_base_asset_reserve": _LIQUIDITY // 2,
        "max_base_asset_reserve": _LIQUIDITY * 2,
        "peg_multiplier": market.oracle_e6,
        "last_funding_rate": market.oracle_e6 * market.rules.funding_rate_e9 // E6,
        "last_funding_rate_ts": market.price_ns // 10**9 // _FUNDING_PERIOD_S * _FUNDING_PERIOD_S,
        "cumulative_funding_rate_long": market.funding_long_e9,
        "cumulative_funding_rate_short": market.funding_short_e9,
        "last_oracle_normalised_price": market.oracle_e6,
        "last_mark_price_twap": market.oracle_e6,
        "last_mark_price_twap5min": market.oracle_e6,
        "last_bid_price_twap": market.vamm_bid_e6,
        "last_ask_price_twap": market.vamm_ask_e6,
        "last_update_slot": slot_at(market.price_ns),
        "last_oracle_valid": True,
        "funding_period": _FUNDING_PERIOD_S,
        "order_step_size": spec.step_e9,
        "order_tick_size": spec.tick_e6,
        "min_order_size": spec.minimum_e9,
        "base_spread": 2 * half_spread,
        "max_spread": 20_000,
        "long_spread": half_spread,
        "short_spread": half_spread,
        "max_fill_reserve_fraction": 100,
        "max_slippage_ratio": 50,
    }
    return blank | {
        "pubkey": key,
        "amm": amm,
        "name": spec.symbol.encode().ljust(32),
        "pnl_pool": blank["pnl_pool"] | {"scaled_balance": (market.pnl_pool_e6 or 0) * _BALANCE_PER_E6},
        "next_fill_record_id": market.next_fill_record_id,
        "margin_ratio_initial": spec.margin_ratio_initial_e4,
        "margin_ratio_maintenance": spec.margin_ratio_maintenance_e4,
        "unrealized_pnl_initial_asset_weight": 10_000,
        "unrealized_pnl_maintenance_asset_weight": 10_000,
        "market_index": spec.index,
        "status": _MARKET_STATUSES[spec.status],
        "contract_type": "Perpetual",
        "contract_tier": "A",
        "paused_operations": spec.paused_operations,
    }


def _quote_market_value(key: Pubkey, total_e6: int) -> Mapping[str, Any]:
    return _blank("SpotMarket") | {
        "pubkey": key,
        "oracle": _QUOTE_ORACLE,
        "oracle_source": "PythLazerStableCoin",
        "mint": QUOTE_MINT,
        "vault": addresses.spot_vault_address(addresses.QUOTE_SPOT_MARKET),
        "name": b"USDC".ljust(32),
        "historical_oracle_data": _history(E6, 0),
        "deposit_balance": total_e6 * _BALANCE_PER_E6,
        "cumulative_deposit_interest": _INTEREST_ONE,
        "cumulative_borrow_interest": _INTEREST_ONE,
        "initial_asset_weight": 10_000,
        "maintenance_asset_weight": 10_000,
        "initial_liability_weight": 10_000,
        "maintenance_liability_weight": 10_000,
        "optimal_utilization": 800_000,
        "optimal_borrow_rate": 50_000,
        "max_borrow_rate": 1_000_000,
        "order_step_size": 1,
        "order_tick_size": 1,
        "min_order_size": 1,
        "decimals": 6,
        "market_index": addresses.QUOTE_SPOT_MARKET,
        "status": "Active",
        "asset_tier": "Collateral",
    }


def _history(price_e6: int, now_ns: int, confidence_e6: int = 0) -> Mapping[str, int]:
    return {
        "last_oracle_price": price_e6,
        "last_oracle_conf": confidence_e6,
        "last_oracle_delay": 0,
        "last_oracle_price_twap": price_e6,
        "last_oracle_price_twap5min": price_e6,
        "last_oracle_price_twap_ts": now_ns // 10**9,
    }


def _oracle(price_e6: int, now_ns: int, confidence_e6: int = 0) -> AccountBytes:
    value = _blank("PythLazerOracle") | {
        "price": price_e6 * 100,
        "publish_time": now_ns // 1000,
        "posted_slot": slot_at(now_ns),
        "exponent": _LAZER_EXPONENT,
        "conf": confidence_e6 * 100 or price_e6 // 100,
    }
    return _program("PythLazerOracle", value)


def _program(name: str, value: Mapping[str, Any]) -> AccountBytes:
    return _owned(accounts().encode(name, value), addresses.PROGRAM_ID)


def _owned(data: bytes, owner: Pubkey) -> AccountBytes:
    return AccountBytes(data, rent_lamports(len(data)), owner)


def _token_account(owner: Pubkey, amount_e6: int) -> bytes:
    head = bytes(QUOTE_MINT) + bytes(owner) + amount_e6.to_bytes(8, "little")
    return head + bytes(36) + b"\1" + bytes(12 + 8 + 36)  # 1: initialized


def _lookup_table(keys: Sequence[Pubkey]) -> AccountBytes:
    head = (1).to_bytes(4, "little") + bytes([255] * 8) + bytes(44)  # never deactivated; the rest is not read
    return _owned(head + b"".join(bytes(key) for key in keys), addresses.LOOKUP_TABLE_PROGRAM_ID)


@cache
def _blank(name: str) -> dict[str, Any]:
    blank: dict[str, Any] = accounts().layouts[name].decode(_BLANK_BYTES, 0)[0]
    return blank
