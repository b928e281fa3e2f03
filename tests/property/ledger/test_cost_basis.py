"""Laws of cost basis that hold for any trades."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.events import Side
from gridkeeper_core.ledger.cost_basis import METHODS, Trade, basis_rows

SIDES: tuple[Side, ...] = ("buy", "sell")
trades = st.lists(
    st.builds(
        Trade,
        side=st.sampled_from(SIDES),
        base_e9=st.integers(1, 50) | st.integers(1, 10**12),
        quote_e6=st.integers(0, 10**4) | st.integers(0, 10**12),
    ),
    max_size=25,
)


def _flattened(history: list[Trade]) -> list[Trade]:
    position = sum(trade.base_e9 if trade.side == "buy" else -trade.base_e9 for trade in history)
    if position == 0:
        return history
    return [*history, Trade(side="sell" if position > 0 else "buy", base_e9=abs(position), quote_e6=12_345)]


@given(trades)
def test_all_methods_agree_on_the_total_once_flat(history: list[Trade]) -> None:
    flat = _flattened(history)
    cash = sum(trade.quote_e6 if trade.side == "sell" else -trade.quote_e6 for trade in flat)
    for method in METHODS:
        rows = basis_rows(method, flat)
        assert sum(row.realized_pnl_e6 for row in rows) == cash, method
        assert all(row.cost_e6 == 0 and row.average_price_e6 is None for row in rows if row.position_e9 == 0)


@given(trades)
def test_at_any_time_what_was_paid_is_realised_or_still_in_the_position(history: list[Trade]) -> None:
    for method in METHODS:
        cash = realized = 0
        for trade, row in zip(history, basis_rows(method, history), strict=True):
            cash += trade.quote_e6 if trade.side == "sell" else -trade.quote_e6
            realized += row.realized_pnl_e6
            open_quote = row.cost_e6 if row.position_e9 < 0 else -row.cost_e6
            assert realized + open_quote == cash, method
