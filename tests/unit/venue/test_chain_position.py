"""The chain's position arithmetic against the program's own vectors."""

from __future__ import annotations

import json
from typing import Any

from gridkeeper_core.venue.chain_position import (
    apply_fee,
    apply_fill,
    apply_quote,
    apply_settlement,
    unrealized_pnl_e6,
)
from gridkeeper_core.venue.state import PerpPosition
from support.recorded_data import recorded_folder

SOL = 10**9
FIELDS = {
    "base_asset_amount": "base_e9",
    "quote_asset_amount": "quote_asset_e6",
    "quote_entry_amount": "quote_entry_e6",
    "quote_break_even_amount": "quote_break_even_e6",
}


def golden() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((recorded_folder() / "golden" / "drift_position_golden.json").read_text())
    return data


def position(values: dict[str, int]) -> PerpPosition:
    return PerpPosition(market_index=0, **{ours: values[theirs] for theirs, ours in FIELDS.items()})


def test_every_vector_of_the_program_gives_the_same_position_and_pnl() -> None:
    vectors = golden()["vectors"]
    assert len(vectors) >= 18
    for vector in vectors:
        delta = vector["delta"]
        after, pnl = apply_fill(position(vector["position"]), delta["base_asset_amount"], delta["quote_asset_amount"])
        assert after == position(vector["expect"]), vector["name"]
        assert pnl == vector["expect"]["pnl"], vector["name"]


def test_a_change_without_base_moves_only_the_quote_asset_amount() -> None:
    before = PerpPosition(market_index=0, base_e9=5, quote_asset_e6=-5, quote_entry_e6=-5, quote_break_even_e6=-6)
    after, pnl = apply_fill(before, 0, 3)
    assert after == PerpPosition(
        market_index=0, base_e9=5, quote_asset_e6=-2, quote_entry_e6=-5, quote_break_even_e6=-6
    )
    assert pnl == 3


def test_division_rounds_towards_zero_on_both_sides() -> None:
    long = PerpPosition(market_index=0, base_e9=3, quote_asset_e6=-10, quote_entry_e6=-10, quote_break_even_e6=-10)
    short = PerpPosition(market_index=0, base_e9=-3, quote_asset_e6=10, quote_entry_e6=10, quote_break_even_e6=10)
    assert apply_fill(long, -1, 4)[0].quote_entry_e6 == -7
    assert apply_fill(short, 1, -4)[0].quote_entry_e6 == 7


def test_a_fee_never_touches_the_entry_amount() -> None:
    before = PerpPosition(market_index=0, base_e9=1, quote_asset_e6=-100, quote_entry_e6=-100, quote_break_even_e6=-100)
    after = apply_fee(before, 7)
    assert (after.quote_asset_e6, after.quote_break_even_e6, after.quote_entry_e6) == (-107, -107, -100)


def test_a_flat_position_has_no_break_even_that_a_fee_could_move() -> None:
    """Bought 1 SOL for 104, sold it for 106: the last rebate is money, but nothing is left that could break even."""
    held = PerpPosition(market_index=0)
    for base_e9, quote_e6, fee_e6 in ((SOL, -104_000_000, -20_800), (-SOL, 106_000_000, -21_200)):
        held = apply_fee(apply_fill(held, base_e9, quote_e6)[0], fee_e6)
    assert held == PerpPosition(market_index=0, quote_asset_e6=2_042_000)
    assert apply_quote(held, -10_000) == PerpPosition(market_index=0, quote_asset_e6=2_032_000)


def test_settled_pnl_leaves_the_quote_asset_amount_alone_behind() -> None:
    before = PerpPosition(market_index=0, base_e9=0, quote_asset_e6=50)
    assert apply_settlement(before, 50).quote_asset_e6 == 0


def test_unrealised_pnl_values_the_base_at_the_oracle_price() -> None:
    held = PerpPosition(market_index=0, base_e9=2 * 10**9, quote_asset_e6=-200_000_000)
    assert unrealized_pnl_e6(held, 101_000_000) == 2_000_000


def test_the_program_s_sequence_is_followed_step_by_step() -> None:
    held = PerpPosition(market_index=0)
    for step in golden()["sequence"]["steps"]:
        held, pnl = apply_fill(held, step["delta"]["base_asset_amount"], step["delta"]["quote_asset_amount"])
        assert held == position(step["position_after"])
        assert pnl == step["expect"]["pnl"]
