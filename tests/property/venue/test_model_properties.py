"""What holds for every sequence of rows and rolls the model of the venue is given."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.records import FillRecord, PlaceOrder, VenueRecord
from gridkeeper_core.venue.state import FillModel, FillRules, VenueState
from support.venue import SOL, USD, roll, row, venue

PRICES = st.integers(min_value=1400, max_value=1600)
PLACES = st.builds(
    lambda side, tenths, size, post_only, reduce_only: PlaceOrder(
        user_order_id=0,
        market_index=0,
        side=side,
        price_e6=tenths * USD // 10,
        size_e9=size * SOL // 100,
        post_only=post_only,
        reduce_only=reduce_only,
    ),
    st.sampled_from(["buy", "sell"]),
    PRICES,
    st.integers(min_value=1, max_value=300),
    st.sampled_from(["must", "try", "none"]),
    st.booleans(),
)
ROWS = st.tuples(PRICES, st.one_of(st.none(), st.integers(min_value=0, max_value=3 * SOL)))
ROLLS = st.tuples(st.lists(PLACES, max_size=6), st.lists(st.integers(min_value=1, max_value=40), max_size=4))
Step = tuple[int, int | None] | tuple[list[PlaceOrder], list[int]]
STEPS: st.SearchStrategy[list[Step]] = st.lists(st.one_of(ROWS, ROLLS), max_size=40)
MODELS: st.SearchStrategy[FillModel] = st.sampled_from(["touch", "through", "queue"])


def run(model: VenueModel, steps: list[Step]) -> list[VenueRecord]:
    records: list[VenueRecord] = []
    for seq, step in enumerate(steps, start=1):
        first, second = step
        if isinstance(first, list):
            assert isinstance(second, list)
            before = model.mark()
            try:
                records += model.execute("main", roll(*first, cancels=tuple(second)))
            except VenueError:
                assert model.mark() == before
        else:
            assert not isinstance(second, list)
            for batch in model.apply_row(row(first / 10, seq, size_e9=second)):
                records += batch.records
    return records


@settings(max_examples=60, deadline=None)
@given(MODELS, STEPS)
def test_fills_add_up_to_the_position_and_to_its_quote(fill_model: FillModel, steps: list[Step]) -> None:
    model = venue(fills=FillRules(model=fill_model))
    fills = [record for record in run(model, steps) if isinstance(record, FillRecord)]
    signed = [(fill, 1 if fill.side == "buy" else -1) for fill in fills]
    held = model.accounts["main"].position(0)
    assert held.base_e9 == sum(sign * fill.base_e9 for fill, sign in signed)
    assert held.quote_asset_e6 == sum(-sign * fill.quote_e6 - fill.fee_e6 for fill, sign in signed)
    assert [fill.fill_record_id for fill in fills] == list(range(1, len(fills) + 1))


@settings(max_examples=60, deadline=None)
@given(MODELS, STEPS)
def test_no_order_is_filled_beyond_its_size_and_no_account_has_33(fill_model: FillModel, steps: list[Step]) -> None:
    model = venue(fills=FillRules(model=fill_model))
    for record in run(model, steps):
        if isinstance(record, FillRecord):
            assert 0 < record.base_e9 <= record.cumulative_e9 <= record.order_size_e9
    assert len(model.accounts["main"].open_orders) <= 32


@settings(max_examples=40, deadline=None)
@given(MODELS, STEPS, STEPS)
def test_a_restart_at_any_moment_changes_nothing(fill_model: FillModel, before: list[Step], after: list[Step]) -> None:
    model = venue(fills=FillRules(model=fill_model))
    run(model, before)
    again = venue(fills=FillRules(model=fill_model))
    again.rewind(msgspec.json.decode(msgspec.json.encode(model.mark()), type=VenueState))
    assert run(again, after) == run(model, after)
    assert again.mark() == model.mark()


@settings(max_examples=60, deadline=None)
@given(MODELS, STEPS, PRICES)
def test_a_price_strictly_between_the_nearest_orders_changes_nothing(
    fill_model: FillModel, steps: list[Step], tenths: int
) -> None:
    model = venue(fills=FillRules(model=fill_model))
    run(model, steps)
    buy, sell = model.nearest("SOL-PERP") or (0, 2**62)
    if buy < tenths * USD // 10 < sell:
        accounts = dict(model.accounts)
        assert model.apply_row(row(tenths / 10, len(steps) + 1)) == []
        assert model.accounts == accounts
