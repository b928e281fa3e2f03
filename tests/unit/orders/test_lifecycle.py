"""Which step an attempt may take from where: everything else is refused."""

from __future__ import annotations

import pytest

from gridkeeper_core.orders import lifecycle
from gridkeeper_core.orders.lifecycle import Attempt, Closing, IllegalStepError
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue.records import WHOLE_POSITION_E9


def attempt(**changes: object) -> Attempt:
    """An attempt for 1 SOL at 104 whose transaction is signed."""
    fields: dict[str, object] = {
        "intent_id": "tale/buy/4/0",
        "attempt": 1,
        "user_order_id": 1,
        "market": "SOL-PERP",
        "market_index": 0,
        "cell": 4,
        "side": "buy",
        "price_e6": 104 * E6,
        "size_e9": E9,
        "filled_e9": 0,
        "post_only": "try",
        "reduce_only": False,
        "max_ts": 0,
        "signature": "s1",
    }
    return Attempt(**(fields | changes))  # type: ignore[arg-type]


SIGNED = attempt()
RESTING = lifecycle.bind(SIGNED, 7)
PARTLY = lifecycle.fill(RESTING, E9 // 4)
WHOLE = lifecycle.fill(PARTLY, E9 - E9 // 4)
GOING = lifecycle.want_gone(RESTING, "window")
STOP = lifecycle.bind(attempt(size_e9=WHOLE_POSITION_E9, trigger_e6=90 * E6, reduce_only=True), 8)


def test_an_attempt_says_where_it_is() -> None:
    assert [a.status for a in (SIGNED, RESTING, PARTLY, GOING)] == [
        "signed", "resting", "partly_filled", "cancel_wanted",
    ]  # fmt: skip


def test_an_order_keeps_its_id() -> None:
    assert lifecycle.bind(RESTING, 7) == RESTING
    with pytest.raises(IllegalStepError):
        lifecycle.bind(RESTING, 9)


@pytest.mark.parametrize(("of", "base_e9"), [(SIGNED, 1), (RESTING, 0), (RESTING, E9 + 1), (PARTLY, E9), (WHOLE, 1)])
def test_a_fill_that_cannot_be_is_refused(of: Attempt, base_e9: int) -> None:
    with pytest.raises(IllegalStepError):
        lifecycle.fill(of, base_e9)


def test_a_fill_of_an_order_whose_id_was_never_learnt_can_only_be_proven() -> None:
    assert lifecycle.fill(SIGNED, E9, proven_slot=5).filled_e9 == E9


def test_no_more_is_taken_back_than_was_filled() -> None:
    assert lifecycle.unfill(PARTLY, E9 // 4) == RESTING
    with pytest.raises(IllegalStepError):
        lifecycle.unfill(PARTLY, E9)


def test_the_first_reason_to_go_stays_and_there_must_be_one() -> None:
    assert lifecycle.want_gone(GOING, "halt") == GOING
    with pytest.raises(IllegalStepError):
        lifecycle.want_gone(RESTING, "")


def test_only_what_sleeps_on_the_venue_can_wake_up() -> None:
    assert lifecycle.trigger(STOP).triggered
    for other in (RESTING, attempt(trigger_e6=90 * E6)):
        with pytest.raises(IllegalStepError):
            lifecycle.trigger(other)


ALL: tuple[Closing, ...] = ("filled", "cancelled", "lapsed", "expired", "failed", "not_placed", "venue", "adopted")


@pytest.mark.parametrize(
    ("of", "ways"),
    [
        (SIGNED, {"expired", "failed", "not_placed", "adopted"}),
        (RESTING, {"cancelled", "lapsed", "venue", "adopted"}),
        (PARTLY, {"cancelled", "lapsed", "venue", "adopted"}),
        (GOING, {"cancelled", "lapsed", "venue", "adopted"}),
        (WHOLE, {"filled", "adopted"}),
        (STOP, {"cancelled", "lapsed", "venue", "adopted"}),
        (lifecycle.fill(STOP, E9), {"filled", "cancelled", "lapsed", "venue", "adopted"}),
    ],
)
def test_each_state_has_its_own_ways_to_end(of: Attempt, ways: set[Closing]) -> None:
    for reason in ALL:
        if reason in ways:
            lifecycle.check_closing(of, reason)
        else:
            with pytest.raises(IllegalStepError):
                lifecycle.check_closing(of, reason)
