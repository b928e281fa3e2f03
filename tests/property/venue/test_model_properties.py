"""What holds for every sequence of rows and rolls the model of the venue is given."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.margin import MarginKind, requirement_e6
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.reading import BANKRUPT
from gridkeeper_core.venue.records import FillRecord, PlacedRecord, PlaceOrder, VenueRecord
from gridkeeper_core.venue.state import FillModel, FillRules, MarketRules, VenueState
from support.venue import SOL, SPEC, USD, order, roll, row, venue

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
KINDS: tuple[MarginKind, ...] = ("initial", "fill", "maintenance")
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


@settings(max_examples=60)
@given(MODELS, STEPS)
def test_fills_add_up_to_the_position_and_to_its_quote(fill_model: FillModel, steps: list[Step]) -> None:
    model = venue(fills=FillRules(model=fill_model))
    fills = [record for record in run(model, steps) if isinstance(record, FillRecord)]
    signed = [(fill, 1 if fill.side == "buy" else -1) for fill in fills]
    held = model.accounts["main"].position(0)
    assert held.base_e9 == sum(sign * fill.base_e9 for fill, sign in signed)
    assert held.quote_asset_e6 == sum(-sign * fill.quote_e6 - fill.fee_e6 for fill, sign in signed)
    assert [fill.fill_record_id for fill in fills] == list(range(1, len(fills) + 1))


@settings(max_examples=60)
@given(MODELS, STEPS)
def test_no_order_is_filled_beyond_its_size_and_no_account_has_33(fill_model: FillModel, steps: list[Step]) -> None:
    model = venue(fills=FillRules(model=fill_model))
    for record in run(model, steps):
        if isinstance(record, FillRecord):
            assert 0 < record.base_e9 <= record.cumulative_e9 <= record.order_size_e9
    assert len(model.accounts["main"].open_orders) <= 32


@settings(max_examples=40)
@given(MODELS, STEPS, STEPS)
def test_a_restart_at_any_moment_changes_nothing(fill_model: FillModel, before: list[Step], after: list[Step]) -> None:
    model = venue(fills=FillRules(model=fill_model))
    run(model, before)
    again = venue(fills=FillRules(model=fill_model))
    again.rewind(msgspec.json.decode(msgspec.json.encode(model.mark()), type=VenueState))
    assert run(again, after) == run(model, after)
    assert again.mark() == model.mark()


@settings(max_examples=60)
@given(MODELS, STEPS, PRICES, st.integers(min_value=10, max_value=500))
def test_a_price_strictly_between_the_nearest_orders_changes_nothing(
    fill_model: FillModel, steps: list[Step], tenths: int, deposit: int
) -> None:
    model = venue(fills=FillRules(model=fill_model), deposit_e6=deposit * USD)
    run(model, steps)
    buy, sell = model.nearest("SOL-PERP") or (0, 2**62)
    if buy < tenths * USD // 10 < sell:
        accounts = dict(model.accounts)
        assert model.apply_row(row(tenths / 10, len(steps) + 1)) == []
        assert model.accounts == accounts


@settings(max_examples=60)
@given(MODELS, STEPS, st.integers(min_value=10, max_value=500))
def test_no_account_is_left_below_its_maintenance_margin(
    fill_model: FillModel, steps: list[Step], deposit: int
) -> None:
    model = venue(fills=FillRules(model=fill_model), deposit_e6=deposit * USD)
    for seq, step in enumerate(steps, start=1):
        run(model, [step]) if isinstance(step[0], list) else model.apply_row(row(step[0] / 10, seq))
        assert model.user_status("main") in (0, BANKRUPT)


@settings(max_examples=60)
@given(STEPS, PLACES)
def test_margin_never_falls_by_an_order_nor_rises_by_its_cancel(steps: list[Step], place: PlaceOrder) -> None:
    model = venue(deposit_e6=1_000_000 * USD)
    run(model, steps)
    before = {kind: requirement_e6(model.accounts["main"], model.markets, kind) for kind in KINDS}
    assert before["maintenance"] <= before["fill"] <= before["initial"]
    try:
        records = model.execute("main", roll(place))
    except VenueError:
        return
    for kind in KINDS:
        assert requirement_e6(model.accounts["main"], model.markets, kind) >= before[kind]
    for record in records:
        model.cancel("main", (record.order_id,) if isinstance(record, PlacedRecord) else ())
    assert {kind: requirement_e6(model.accounts["main"], model.markets, kind) for kind in KINDS} == before


@settings(max_examples=40)
@given(STEPS, st.lists(st.tuples(st.sampled_from(["SOL-PERP", "ETH-PERP"]), PRICES), max_size=30))
def test_bands_of_two_markets_hide_no_liquidation(steps: list[Step], rows: list[tuple[str, int]]) -> None:
    """A model that is made anew before each row, so that it remembers no band, does the same."""
    model, fresh = two_markets(), two_markets()
    for held in (model, fresh):
        run(held, steps)
    for seq, (symbol, tenths) in enumerate(rows, start=len(steps) + 1):
        price = msgspec.structs.replace(row(tenths / 10, seq), market=symbol)
        again = two_markets()
        again.rewind(fresh.mark())
        assert model.apply_row(price) == again.apply_row(price)
        fresh = again


def two_markets() -> VenueModel:
    """An account with 150 USD, long in one market and short in the other."""
    other = msgspec.structs.replace(SPEC, symbol="ETH-PERP", index=1)
    model = VenueModel([MarketRules(spec=SPEC), MarketRules(spec=other)])
    model.open_account("main")
    model.deposit("main", 150 * USD)
    for symbol in ("SOL-PERP", "ETH-PERP"):
        model.apply_row(msgspec.structs.replace(row(150, 0), market=symbol))
    model.execute("main", roll(order("buy", "149.9", 5 * SOL), order("sell", "150.1", 4 * SOL, market_index=1)))
    model.apply_row(row(149.8, 0, at_s=1))
    model.apply_row(msgspec.structs.replace(row(150.2, 0, at_s=1), market="ETH-PERP"))
    assert all(position.base_e9 for position in model.accounts["main"].positions.values())
    return model
