"""Who is told, over which channel, and at which time of the day."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import DAY_NS, MINUTE_NS, Policy, QuietHours, Route
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import (
    AlertMet,
    Digested,
    Fact,
    FeedStarted,
    GridFaulted,
    GridPaused,
    GuardCleared,
    GuardTripped,
    HeldBack,
    PolicySet,
    ProofChecked,
    RangeLeft,
    Sent,
    SolEnough,
    SolLow,
)
from gridkeeper_core.inputs import AlertReceived, Command, TestNotification, Wake
from support.alerts import told_by
from support.ledger_story import Story

LEFT = RangeLeft(where="low", price_e6=89_500_000)
FAULT = GridFaulted(at_cause="x@1", detail="bad")
NIGHT = QuietHours(from_minute=22 * 60, to_minute=7 * 60)
PHONE_FOR_CRITICAL = Policy(
    channels=("phone", "mail"),
    routes=(
        Route(channels=("phone", "mail"), severities=("critical",)),
        Route(channels=("phone",), targets=("sol*",), severities=("warning",)),
        Route(channels=("mail",)),
    ),
)


def channels_of(facts: list[Fact]) -> list[str]:
    return [fact.channel for fact in facts if isinstance(fact, Sent)]


def at(story: Story, hour: int, minute: int = 0) -> None:
    """Go to this time of the story's next day."""
    story.now_ns = story.now_ns - story.now_ns % DAY_NS + DAY_NS + (hour * 60 + minute) * MINUTE_NS


ALERT = AlertReceived(
    now_ns=0,
    name="PriceStale",
    fingerprint="f00d",
    starts_at="2026-01-01T00:00:00Z",
    firing=True,
    severity="critical",
    target="sol",
    text="The price is old.",
    runbook_url="https://example.com/runbooks/price-stale",
)


def received(story: Story, alert: AlertReceived) -> list[Fact]:
    """What was decided; the alert itself is recorded before it."""
    facts = story.take(msgspec.structs.replace(alert, now_ns=story.now_ns))
    assert [fact.text for fact in facts[:1] if isinstance(fact, AlertMet)] == [alert.text for _ in facts[:1]]
    return facts[1:]


@pytest.mark.parametrize(
    ("stream", "fact", "channels"),
    [
        ("grid:sol", FAULT, ["phone", "mail"]),
        ("grid:sol", LEFT, ["phone"]),
        ("grid:eth", LEFT, ["mail"]),
        ("grid:eth", GridPaused(code="PAUSED", author="ann", reason="lunch"), ["mail"]),
    ],
)
def test_the_first_route_that_takes_a_message_decides(stream: str, fact: Fact, channels: list[str]) -> None:
    assert channels_of(told_by(PHONE_FOR_CRITICAL).tell(stream, fact)) == channels


def test_a_message_no_route_takes_goes_everywhere() -> None:
    policy = Policy(channels=("a", "b"), routes=(Route(channels=("a",), severities=("critical",)),))

    assert channels_of(told_by(policy).grid(LEFT)) == ["a", "b"]


def test_a_route_to_a_channel_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="names channels among a, was b"):
        Policy(channels=("a",), routes=(Route(channels=("b",)),)).checked()


def test_in_quiet_hours_only_critical_messages_go_out_and_the_rest_comes_when_they_end() -> None:
    story = told_by(Policy(channels=("phone",), quiet_hours=NIGHT))
    at(story, 23)

    (held,) = story.grid(LEFT)
    (sent,) = story.grid(FAULT)

    assert isinstance(held, HeldBack)
    assert isinstance(sent, Sent)
    due = story.machine.next_wake_ns()
    assert due is not None
    assert due % DAY_NS == 7 * 60 * MINUTE_NS
    (digest,) = story.take(Wake(now_ns=due))
    assert isinstance(digest, Digested)
    assert (digest.severity, digest.count) == ("warning", 1)


def test_by_day_quiet_hours_change_nothing() -> None:
    story = told_by(Policy(channels=("phone",), quiet_hours=NIGHT))
    at(story, 12)

    assert channels_of(story.grid(LEFT)) == ["phone"]


def test_the_daily_report_counts_what_was_told_since_the_last_one() -> None:
    story = told_by(Policy(channels=("phone",), heartbeat_minute=8 * 60))
    story.grid(LEFT)
    story.grid(FAULT)

    due = story.machine.next_wake_ns()
    assert due is not None
    assert due % DAY_NS == 8 * 60 * MINUTE_NS
    (report,) = story.take(Wake(now_ns=due))

    assert isinstance(report, Sent)
    assert report.text == (
        "Gridkeeper is running. Since the last report: 0 fills, grid profit 0; 1 warning, 1 critical message."
    )
    assert story.machine.next_wake_ns() == due + DAY_NS
    (second,) = story.take(Wake(now_ns=due + DAY_NS))
    assert isinstance(second, Sent)
    assert "0 warnings, 0 critical messages" in second.text


def test_many_grids_paused_for_one_cause_share_a_message_and_a_digest() -> None:
    story = told_by(Policy(channels=("phone",)))
    paused = GridPaused(code="STALE_PRICE", author="", reason="31 s old")
    facts = [story.tell(f"grid:g{number}", paused)[0] for number in range(10)]

    assert [type(fact) for fact in facts] == [Sent] * 3 + [HeldBack] * 7
    due = story.machine.next_wake_ns()
    assert due is not None
    (digest,) = story.take(Wake(now_ns=due))
    assert isinstance(digest, Digested)
    assert digest.text == "7 grids (g3, g4, g5, g6, g7, g8, g9) stopped placing orders: STALE_PRICE."


def test_an_alert_of_the_monitoring_is_told_once_and_so_is_its_end() -> None:
    story = told_by(PHONE_FOR_CRITICAL)

    begin = received(story, ALERT)
    again = received(story, ALERT)
    end = received(story, msgspec.structs.replace(ALERT, firing=False))

    assert channels_of(begin) == ["phone", "mail"]
    assert isinstance(begin[0], Sent)
    assert begin[0].text == "The price is old. What to do: https://example.com/runbooks/price-stale"
    assert again == []
    assert channels_of(end) == ["phone", "mail"], "the end is heard where the beginning was"
    assert isinstance(end[0], Sent)
    assert (end[0].severity, end[0].text) == ("info", "Over: The price is old.")


def test_the_end_of_a_critical_alert_is_never_held_back() -> None:
    story = told_by(Policy(channels=("phone",), quiet_hours=NIGHT))
    at(story, 23)
    for number in range(10):
        flapping = msgspec.structs.replace(ALERT, starts_at=str(number))
        assert channels_of(received(story, flapping)) == ["phone"]
        assert channels_of(received(story, msgspec.structs.replace(flapping, firing=False))) == ["phone"]


def test_an_alert_about_what_was_just_spoken_of_waits_for_a_digest() -> None:
    story = told_by(Policy(channels=("phone",)))
    story.tell("books:sol", ProofChecked(slot=9, left_e6=0, right_e6=1, residual_e6=-1))

    (fact,) = received(story, msgspec.structs.replace(ALERT, cause="proof"))

    assert isinstance(fact, HeldBack)


def test_a_residual_that_every_proof_finds_again_is_told_once_and_then_in_digests() -> None:
    story = told_by(Policy(channels=("phone",)))
    residual = ProofChecked(slot=9, left_e6=0, right_e6=1, residual_e6=-1)

    assert channels_of(story.tell("books:main", residual)) == ["phone"]
    for slot in range(10, 39):  # a proof each minute
        (fact,) = story.tell("books:main", msgspec.structs.replace(residual, slot=slot))
        assert isinstance(fact, HeldBack)
        assert fact.severity == "critical"


def test_a_wallet_without_sol_is_told_of_once() -> None:
    story = told_by(Policy(channels=("phone",)))
    low = SolLow(account="main", lamports=5, level="stop_placing")
    guard = GuardTripped(code="SOL_LOW", market="", detail="5 lamports are left", pauses=True)

    assert channels_of(story.tell("wallet:abc", low)) == ["phone"]
    assert story.tell("account:main", guard) == []
    assert channels_of(story.tell("wallet:abc", SolEnough(account="main", lamports=10**9))) == ["phone"]
    assert story.tell("account:main", GuardCleared(code="SOL_LOW", market="", detail="")) == []


def test_a_test_message_goes_to_the_channel_that_was_named() -> None:
    story = told_by(Policy(channels=("phone", "mail")))

    assert channels_of(story.take(wish("mail"))) == ["mail"]
    assert channels_of(story.take(wish(""))) == ["phone", "mail"]
    with pytest.raises(GridkeeperError, match="phone, mail"):
        story.take(wish("pager"))


def wish(channel: str) -> Command:
    body = TestNotification(channel=channel)
    return Command(now_ns=1, key=f"k-{channel}", author="ann", reason="", target="alert:fleet", body=body)


def test_a_new_policy_is_recorded_before_the_first_message_it_rules() -> None:
    policy = Policy(channels=("phone",))
    story = Story(NotifierMachine(policy))
    story.account()

    facts = story.grid(LEFT)

    assert facts[0] == PolicySet(policy=policy)
    assert channels_of(facts) == ["phone"]
    assert channels_of(story.grid(LEFT)) == ["phone"], "and once only"


def test_an_alert_is_not_held_back_for_good_news_of_the_same_kind() -> None:
    story = told_by(Policy(channels=("phone",)))
    story.tell("prices:sol", FeedStarted(market="sol", source="pyth", first_seq=1))

    (fact,) = received(story, msgspec.structs.replace(ALERT, cause="feed"))

    assert isinstance(fact, Sent)
