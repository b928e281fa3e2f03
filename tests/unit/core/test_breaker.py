"""A dependency breaker: closed, open for longer each time, half-open for one trial."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.breaker import Breaker, BreakerRules
from gridkeeper_core.units import NS_PER_S

RULES = BreakerRules(failures=3, first_pause_ns=NS_PER_S, longest_pause_ns=4 * NS_PER_S)


def failing(times: int, at_s: int = 0) -> Breaker:
    breaker = Breaker(rules=RULES)
    for _ in range(times):
        breaker = breaker.failed(at_s * NS_PER_S)
    return breaker


def test_two_failures_are_borne_and_the_third_opens_it() -> None:
    assert failing(2).phase(0) == "closed"
    assert failing(3).phase(0) == "open"
    assert not failing(3).may_pass(NS_PER_S - 1)


def test_a_success_in_between_counts_anew() -> None:
    assert failing(2).succeeded().failed(0).failed(0).phase(0) == "closed"


def test_after_the_pause_one_may_try_and_only_one() -> None:
    half = failing(3)
    assert (half.phase(NS_PER_S), half.may_pass(NS_PER_S)) == ("half-open", True)
    trying = half.trying(NS_PER_S)
    assert not trying.may_pass(NS_PER_S)
    assert trying.gave_up().may_pass(NS_PER_S)
    assert trying.succeeded().phase(NS_PER_S) == "closed"


def test_each_trial_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now_s, pauses = failing(3), 0, []
    for _ in range(4):
        pauses.append(breaker.pause_ns // NS_PER_S)
        now_s += pauses[-1]
        breaker = breaker.trying(now_s * NS_PER_S).failed(now_s * NS_PER_S)
    assert pauses == [1, 2, 4, 4]


def test_a_late_failure_of_an_earlier_request_does_not_lengthen_the_pause() -> None:
    opened = failing(3)
    assert opened.failed(NS_PER_S // 2) == opened


@given(st.lists(st.tuples(st.sampled_from(["failed", "succeeded", "tried"]), st.integers(0, 3 * NS_PER_S))))
def test_whatever_happens_it_lets_somebody_try_again_within_the_longest_pause(steps: list[tuple[str, int]]) -> None:
    breaker, now_ns = Breaker(rules=RULES), 0
    for what, after_ns in steps:
        now_ns += after_ns
        if what == "tried":
            breaker = breaker.trying(now_ns) if breaker.may_pass(now_ns) else breaker
        else:
            breaker = breaker.failed(now_ns) if what == "failed" else breaker.succeeded()
    assert breaker.gave_up().may_pass(now_ns + RULES.longest_pause_ns)
