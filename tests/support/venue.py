"""A small venue for tests: one SOL market, short ways to say an order, a row and a roll."""

from __future__ import annotations

from typing import Any

from gridkeeper_core.events import PostOnly, Side
from gridkeeper_core.prices.price import Price
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.records import PlaceOrder, Roll
from gridkeeper_core.venue.state import FillRules, MarketRules
from support.sol_perp import SOL_PERP

SOL = 10**9
USD = 10**6
START_NS = 1_700_000_000 * 10**9
SPEC = SOL_PERP


def order(side: Side, price: str, size_e9: int = SOL // 10, *, post_only: PostOnly = "must", **more: Any) -> PlaceOrder:
    """A limit order; `price` is decimal text in USD."""
    whole, _, part = price.partition(".")
    price_e6 = int(whole) * USD + int(part.ljust(6, "0"))
    return PlaceOrder(
        **{
            "user_order_id": 0,
            "market_index": 0,
            "side": side,
            "price_e6": price_e6,
            "size_e9": size_e9,
            "post_only": post_only,
            **more,
        }
    )


def roll(*places: PlaceOrder, cancels: tuple[int, ...] = ()) -> Roll:
    """One transaction."""
    return Roll(alias="main", purpose="test", cancel_order_ids=cancels, places=places)


def row(price: float, seq: int = 1, *, at_s: int | None = None, size_e9: int | None = None) -> Price:
    """A row of the market, by default one second after the one before it."""
    return Price(
        market="SOL-PERP",
        source="test",
        source_seq=seq,
        ts_ns=START_NS + (seq if at_s is None else at_s) * 10**9,
        oracle_e6=round(price * USD),
        size_e9=size_e9,
    )


def venue(
    price: float = 150,
    *,
    fills: FillRules | None = None,
    deposit_e6: int = 10_000 * USD,
    enforce_margin: bool = True,
    **rules: Any,
) -> VenueModel:
    """A venue with one market at `price` and the account `main`."""
    spec = rules.pop("spec", SPEC)
    model = VenueModel([MarketRules(spec=spec, **rules)], fills, enforce_margin=enforce_margin)
    model.open_account("main")
    model.deposit("main", deposit_e6)
    model.apply_row(row(price, 0))
    return model


def fills_of(batches: list[Any]) -> list[tuple[int, int]]:
    """(order id, filled base) of every fill in the batches."""
    return [(r.order_id, r.base_e9) for batch in batches for r in batch.records if type(r).__name__ == "FillRecord"]
