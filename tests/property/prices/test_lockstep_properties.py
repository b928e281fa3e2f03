"""What holds for every batch of rows: none of them could have moved anybody, and it could not be longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.prices.lockstep import calm_rows
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import Band, Quiet

MARKETS = ("SOL-PERP", "BTC-PERP")

bands = st.builds(Band, st.integers(0, 50), st.integers(30, 100))
answers = st.lists(
    st.builds(
        Quiet,
        service=st.just("s"),
        now_ns=st.just(0),
        next_wake_ns=st.none() | st.integers(1, 60),
        band=st.none() | st.dictionaries(st.sampled_from(MARKETS), bands),
    ),
    max_size=4,
)
tapes = st.lists(st.tuples(st.sampled_from(MARKETS), st.integers(1, 100), st.integers(0, 9)), max_size=12)


@given(answers=answers, tape=tapes)
def test_a_batch_is_the_longest_run_of_rows_that_move_nobody(
    answers: list[Quiet], tape: list[tuple[str, int, int]]
) -> None:
    rows, ts_ns = [], 0
    for seq, (market, price_e6, later_ns) in enumerate(tape, 1):
        ts_ns += later_ns
        rows.append(Price(market=market, source="tape", source_seq=seq, ts_ns=ts_ns, oracle_e6=price_e6))

    count = calm_rows(rows, answers)

    assert not any(moves_somebody(row, answers) for row in rows[:count])
    assert count == len(rows) or moves_somebody(rows[count], answers)


def moves_somebody(row: Price, answers: list[Quiet]) -> bool:
    for answer in answers:
        if answer.next_wake_ns is not None and row.ts_ns >= answer.next_wake_ns:
            return True
        if answer.band is None:
            return True
        band = answer.band.get(row.market)
        if band is not None and (row.oracle_e6 <= band.low_e6 or row.oracle_e6 >= band.high_e6):
            return True
    return False
