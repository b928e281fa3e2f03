"""Laws of the notifier that hold for any events at any times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.alerts.throttle import Bucket, Limits
from gridkeeper_core.events import Digested, Fact, HeldBack, OrderRefused, RangeLeft, Sent
from gridkeeper_core.inputs import Wake
from gridkeeper_core.units import NS_PER_S
from support.ledger_story import Story, opened, reverted

FACTS: tuple[tuple[str, Fact], ...] = (
    ("grid:a", RangeLeft(where="low", price_e6=1)),
    ("grid:b", RangeLeft(where="high", price_e6=1)),
    ("grid:a", opened()),
    ("account:main", reverted(1)),
    ("account:main", OrderRefused(intent_id="a/buy/1/0", attempt=1, code="MARGIN", detail="")),
)
moments = st.lists(st.tuples(st.sampled_from(FACTS), st.integers(0, 400)), max_size=40)
CHANNELS = ("terminal", "webhook")


def told(history: list[tuple[tuple[str, Fact], int]]) -> Story:
    story = Story(NotifierMachine(Policy(channels=CHANNELS)))
    for (stream, fact), pause_s in history:
        story.now_ns += pause_s * NS_PER_S
        wake_up_to(story, story.now_ns)
        story.tell(stream, fact)
    return story


def wake_up_to(story: Story, now_ns: int) -> None:
    while (due := story.machine.next_wake_ns()) is not None and due <= now_ns:
        assert story.take(Wake(now_ns=due))


@given(moments)
def test_every_event_is_sent_once_or_counted_in_a_digest_on_every_channel(
    history: list[tuple[tuple[str, Fact], int]],
) -> None:
    story = told(history)
    wake_up_to(story, story.now_ns + 10**6 * NS_PER_S)
    facts = [event.fact for event in story.log]
    held = [fact for fact in facts if isinstance(fact, HeldBack)]
    for channel in CHANNELS:
        sent = [fact for fact in facts if isinstance(fact, Sent) and fact.channel == channel]
        digested = sum(fact.count for fact in facts if isinstance(fact, Digested) and fact.channel == channel)
        assert digested == len(held)
        assert len(sent) + digested == len(history)
    assert not any(fact.severity == "critical" for fact in held)


@given(moments)
def test_a_log_folds_to_the_same_state(history: list[tuple[tuple[str, Fact], int]]) -> None:
    story = told(history)
    restored = NotifierMachine(Policy(channels=CHANNELS))
    assert story.told_again_to(restored) == story.machine.digests()
    assert restored.next_wake_ns() == story.machine.next_wake_ns()


@given(st.lists(st.integers(0, 90), max_size=60), st.integers(1, 5), st.integers(1, 60))
def test_no_span_of_time_sees_more_messages_than_the_burst_and_what_came_back(
    pauses: list[int], burst: int, period: int
) -> None:
    limits = Limits(burst=burst, period_ns=period)
    bucket, now, passed = Bucket(), 1000, []
    for pause in pauses:
        now += pause
        if bucket.has_token(now, limits):
            bucket = bucket.taken(now, limits)
            passed.append(now)
    for first, begin in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - begin) // period
