"""The instructions we send to the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from gridkeeper_core.venue.records import PlaceOrder
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.addresses import PROGRAM_ID, QUOTE_SPOT_MARKET
from gridkeeper_drift.codecs.idl import instruction_accounts, instructions


class MarketAccounts(NamedTuple):
    """The accounts of one perp market an instruction on it must name."""

    market_index: int
    oracle: Pubkey


class Trader(NamedTuple):
    """Who acts for which sub-account: `signer` is the authority or the sub-account's delegate."""

    authority: Pubkey
    sub_account_id: int
    signer: Pubkey

    @property
    def user(self) -> Pubkey:
        """The User account."""
        return addresses.user_address(self.authority, self.sub_account_id)


def place_orders(
    trader: Trader, places: Sequence[PlaceOrder], markets: Sequence[MarketAccounts], quote_oracle: Pubkey
) -> Instruction:
    """Places up to 32 orders at once. `markets` are those of the orders and of every open position."""
    data = instructions().encode("place_orders", {"params": [_params(place) for place in places]})
    return _instruction("place_orders", data, _trading(trader), market_metas(markets, quote_oracle))


def place_and_take(
    trader: Trader,
    place: PlaceOrder,
    markets: Sequence[MarketAccounts],
    quote_oracle: Pubkey,
    referrer: Pubkey | None = None,
) -> Instruction:
    """Places one order and fills it against the vAMM at once; the only way to an immediate-or-cancel order.

    Who was referred must name the authority that did it, or is refused with 6030 (controller/orders.rs
    `get_referrer_info`).
    """
    arguments = {"params": _params(place), "success_condition": None}
    data = instructions().encode("place_and_take_perp_order", arguments)
    named = {**_trading(trader), "user_stats": addresses.user_stats_address(trader.authority)}
    metas = market_metas(markets, quote_oracle, writable={place.market_index})
    if referrer is not None:
        paid = (addresses.user_address(referrer, 0), addresses.user_stats_address(referrer))
        metas += [AccountMeta(account, is_signer=False, is_writable=True) for account in paid]
    return _instruction("place_and_take_perp_order", data, named, metas)


def cancel_orders_by_ids(
    trader: Trader, order_ids: Sequence[int], markets: Sequence[MarketAccounts], quote_oracle: Pubkey
) -> Instruction:
    """Cancels these orders; one that is not open is passed over by the program without an error."""
    data = instructions().encode("cancel_orders_by_ids", {"order_ids": list(order_ids)})
    return _instruction("cancel_orders_by_ids", data, _trading(trader), market_metas(markets, quote_oracle))


def cancel_orders(
    trader: Trader, markets: Sequence[MarketAccounts], quote_oracle: Pubkey, *, market_index: int | None = None
) -> Instruction:
    """Cancels every open order, or every one of a perp market."""
    kind = None if market_index is None else "Perp"
    arguments = {"market_type": kind, "market_index": market_index, "direction": None}
    data = instructions().encode("cancel_orders", arguments)
    return _instruction("cancel_orders", data, _trading(trader), market_metas(markets, quote_oracle))


def settle_pnl(
    trader: Trader, market_index: int, markets: Sequence[MarketAccounts], quote_oracle: Pubkey
) -> Instruction:
    """Moves settled profit and loss of one market into the deposit."""
    data = instructions().encode("settle_pnl", {"market_index": market_index})
    named = {**_trading(trader), "spot_market_vault": addresses.spot_vault_address(QUOTE_SPOT_MARKET)}
    metas = market_metas(markets, quote_oracle, writable={market_index}, quote_writable=True)
    return _instruction("settle_pnl", data, named, metas)


def initialize_user_stats(authority: Pubkey) -> Instruction:
    """Creates the authority's UserStats, once, before its first sub-account."""
    return _instruction("initialize_user_stats", instructions().encode("initialize_user_stats", {}), _owner(authority))


def initialize_user(authority: Pubkey, sub_account_id: int, name: str) -> Instruction:
    """Creates a sub-account; ids must be created in sequence. `name` is at most 32 bytes."""
    arguments = {"sub_account_id": sub_account_id, "name": name.encode().ljust(32)}
    named = {**_owner(authority), "user": addresses.user_address(authority, sub_account_id)}
    return _instruction("initialize_user", instructions().encode("initialize_user", arguments), named)


def update_user_delegate(authority: Pubkey, sub_account_id: int, delegate: Pubkey) -> Instruction:
    """Lets `delegate` trade for the sub-account; only the authority may do this, and a delegate cannot withdraw."""
    data = instructions().encode("update_user_delegate", {"sub_account_id": sub_account_id, "delegate": delegate})
    named = {"user": addresses.user_address(authority, sub_account_id), "authority": authority}
    return _instruction("update_user_delegate", data, named)


def deposit(
    trader: Trader,
    amount_e6: int,
    token_account: Pubkey,
    markets: Sequence[MarketAccounts],
    quote_oracle: Pubkey,
) -> Instruction:
    """Deposits the quote asset from `token_account`."""
    arguments = {"market_index": QUOTE_SPOT_MARKET, "amount": amount_e6, "reduce_only": False}
    metas = market_metas(markets, quote_oracle, quote_writable=True)
    return _instruction("deposit", instructions().encode("deposit", arguments), _funds(trader, token_account), metas)


def withdraw(
    trader: Trader,
    amount_e6: int,
    token_account: Pubkey,
    markets: Sequence[MarketAccounts],
    quote_oracle: Pubkey,
) -> Instruction:
    """Withdraws the quote asset to `token_account`, never more than was deposited (no borrowing)."""
    arguments = {"market_index": QUOTE_SPOT_MARKET, "amount": amount_e6, "reduce_only": True}
    named = {**_funds(trader, token_account), "drift_signer": addresses.signer_address()}
    metas = market_metas(markets, quote_oracle, quote_writable=True)
    return _instruction("withdraw", instructions().encode("withdraw", arguments), named, metas)


def market_metas(
    markets: Sequence[MarketAccounts],
    quote_oracle: Pubkey,
    *,
    writable: set[int] | None = None,
    quote_writable: bool = False,
) -> list[AccountMeta]:
    """The remaining accounts in the order the program reads them: oracles, spot markets, perp markets."""
    oracles = dict.fromkeys([*(market.oracle for market in markets), quote_oracle])
    oracles.pop(Pubkey.default(), None)
    spot = addresses.spot_market_address(QUOTE_SPOT_MARKET)
    return [
        *(AccountMeta(oracle, is_signer=False, is_writable=False) for oracle in oracles),
        AccountMeta(spot, is_signer=False, is_writable=quote_writable),
        *(
            AccountMeta(addresses.perp_market_address(index), is_signer=False, is_writable=index in (writable or set()))
            for index in dict.fromkeys(market.market_index for market in markets)
        ),
    ]


def _params(place: PlaceOrder) -> Any:
    # Commands that place nothing need not wait until driftpy's types are loaded.
    from gridkeeper_drift.codecs.orders import order_params

    return order_params(place)


def _instruction(
    name: str, data: bytes, named: Mapping[str, Pubkey], remaining: Sequence[AccountMeta] = ()
) -> Instruction:
    metas = [
        AccountMeta(named[account], is_signer=signer, is_writable=writable)
        for account, writable, signer in instruction_accounts(name)
    ]
    return Instruction(PROGRAM_ID, data, [*metas, *remaining])


def _trading(trader: Trader) -> dict[str, Pubkey]:
    return {"state": addresses.state_address(), "user": trader.user, "authority": trader.signer}


def _owner(authority: Pubkey) -> dict[str, Pubkey]:
    return {
        "user_stats": addresses.user_stats_address(authority),
        "state": addresses.state_address(),
        "authority": authority,
        "payer": authority,
        "rent": addresses.RENT_SYSVAR_ID,
        "system_program": addresses.SYSTEM_PROGRAM_ID,
    }


def _funds(trader: Trader, token_account: Pubkey) -> dict[str, Pubkey]:
    return {
        **_trading(trader),
        "user_stats": addresses.user_stats_address(trader.authority),
        "spot_market_vault": addresses.spot_vault_address(QUOTE_SPOT_MARKET),
        "user_token_account": token_account,
        "token_program": addresses.TOKEN_PROGRAM_ID,
    }
