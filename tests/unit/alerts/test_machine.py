"""What people are told, when, and in which words."""

from __future__ import annotations

import pytest

from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.alerts.throttle import Limits
from gridkeeper_core.events import (
    AccountRecovering,
    Difference,
    Digested,
    Fact,
    FeedLost,
    GridFaulted,
    GridPaused,
    GridResumed,
    GridStopping,
    HeldBack,
    Liquidated,
    OrderRefused,
    ProofChecked,
    RangeLeft,
    RangeReturned,
    RiskTripped,
    Sent,
    SolLow,
    VenueDiffers,
)
from gridkeeper_core.inputs import Wake
from gridkeeper_core.units import E6, E9, NS_PER_S
from support.alerts import booked, told_by
from support.ledger_story import GRID, MARKET, Story, opened, reverted

LOST = FeedLost(market=MARKET, source="pyth", reason="silent", last_seq=1)
LEFT = RangeLeft(where="low", price_e6=89_500_000)


def refused(code: str) -> OrderRefused:
    return OrderRefused(intent_id="sol/buy/1/0", attempt=1, code=code, detail="")


@pytest.fixture
def story() -> Story:
    return told_by(Policy(channels=("terminal", "webhook"), limits=Limits(burst=2)))


def digests_of(story: Story) -> list[Fact]:
    due = story.machine.next_wake_ns()
    assert due is not None
    return story.take(Wake(now_ns=due))


def test_a_message_goes_out_on_every_channel(story: Story) -> None:
    text = "Grid sol: the price 89.5 is below its range."
    assert story.grid(LEFT) == [
        Sent(severity="warning", channel="terminal", key="range", text=text, about=("grid:sol@1",)),
        Sent(severity="warning", channel="webhook", key="range", text=text, about=("grid:sol@1",)),
    ]
    assert {event.stream for event in story.log} == {"alert:sol"}


@pytest.mark.parametrize(
    ("stream", "fact", "severity", "target", "words"),
    [
        ("grid:sol", opened(), "info", "sol", "Grid sol trades from now on, at 105."),
        ("grid:sol", GridFaulted(at_cause="x@1", detail="bad"), "critical", "sol", "x@1: bad"),
        (
            "grid:sol",
            GridStopping(close=True, author="gridkeeper", reason="stop-low at 95 reached by 94.5", code="STOP_LOW"),
            "warning",
            "sol",
            "Grid sol ends by itself: stop-low at 95 reached by 94.5. Its position is to be closed.",
        ),
        (
            "grid:sol",
            GridResumed(code="STALE_PRICE", author="gridkeeper", reason="fresh"),
            "info",
            "fleet",
            "Grid sol: the pause for STALE_PRICE is over.",  # it may be paused for another reason still
        ),
        (
            "grid:sol",
            RiskTripped(tier="red", limit="drawdown_e4", value=1500, allowed=1500),
            "critical",
            "sol",
            "drawdown_e4 reached 0.15",
        ),
        ("grid:sol", RiskTripped(tier="orange", limit="fills", value=9, allowed=8), "warning", "sol", "orange"),
        ("grid:sol", GridPaused(code="STALE_PRICE", author="", reason="40 s old"), "warning", "fleet", "STALE_PRICE"),
        ("grid:sol", GridPaused(code="PAUSED", author="ann", reason="lunch"), "info", "sol", "by ann: lunch"),
        ("grid:sol", RangeReturned(where="low", price_e6=E6), "info", "sol", "back in its range"),
        ("account:main", AccountRecovering(why="differs"), "warning", "main", "differs"),
        (
            "account:main",
            VenueDiffers(slot=4, differences=(Difference(what="base_e9", venue=5, ours=3),)),
            "critical",
            "main",
            "base_e9 is 5 there and 3 here",
        ),
        ("account:main", reverted(8), "critical", "main", "fill 8"),
        (
            "account:main",
            Liquidated(
                market=MARKET, market_index=0, base_e9=-E9 // 2, quote_e6=1, fee_e6=0, slot=1, signature="", index=0
            ),
            "critical",
            "main",
            "liquidated 0.5 SOL-PERP",
        ),
        (
            "books:main",
            ProofChecked(slot=9, left_e6=0, right_e6=250_000, residual_e6=-250_000),
            "critical",
            "main",
            "-0.25",
        ),
        ("prices:SOL-PERP", LOST, "warning", MARKET, "pyth"),
        (
            "wallet:abc",
            SolLow(account="main", lamports=19_000_000, level="stop_placing"),
            "critical",
            "main",
            "0.019 SOL",
        ),
        ("wallet:abc", SolLow(account="main", lamports=90_000_000, level="warn"), "warning", "main", "0.09 SOL"),
    ],
)  # fmt: skip
def test_each_fact_has_its_severity_its_target_and_its_words(
    story: Story, stream: str, fact: Fact, severity: str, target: str, words: str
) -> None:
    sent = story.tell(stream, fact)[0]
    assert isinstance(sent, Sent)
    assert (sent.severity, story.log[0].stream) == (severity, f"alert:{target}")
    assert words in sent.text


@pytest.mark.parametrize(
    "fact", [AccountRecovering(why="boot"), ProofChecked(slot=1, left_e6=5, right_e6=5, residual_e6=0)]
)
def test_what_is_as_it_should_be_is_not_spoken_of(story: Story, fact: Fact) -> None:
    assert story.tell("books:main" if isinstance(fact, ProofChecked) else "account:main", fact) == []


def test_the_same_event_is_told_once(story: Story) -> None:
    story.take(story.event("grid:sol", 1, LEFT))
    before = story.machine.digests()
    assert story.take(story.event("grid:sol", 1, LEFT)) == []
    assert story.machine.digests() == before


def test_more_than_a_burst_waits_for_a_digest(story: Story) -> None:
    for _ in range(2):
        assert isinstance(story.grid(LEFT)[0], Sent)
    assert isinstance(story.grid(LEFT)[0], HeldBack)
    story.grid(LEFT)
    digest = digests_of(story)[0]
    assert digest == Digested(
        channel="terminal",
        key="range",
        text="2 more messages of this kind; the last: Grid sol: the price 89.5 is below its range.",
        count=2,
        about=("grid:sol@3", "grid:sol@4"),
        severity="warning",
    )


def test_a_token_comes_back_after_its_period(story: Story) -> None:
    story.grid(LEFT)
    story.grid(LEFT)
    story.now_ns += 300 * NS_PER_S
    assert isinstance(story.grid(LEFT)[0], Sent)
    assert isinstance(story.grid(LEFT)[0], HeldBack)


def test_critical_messages_always_pass(story: Story) -> None:
    facts = [story.account(reverted(n))[0] for n in range(20)]
    assert all(isinstance(fact, Sent) for fact in facts)


def test_one_target_or_kind_does_not_use_up_the_tokens_of_another(story: Story) -> None:
    for _ in range(3):
        story.grid(LEFT)
    assert isinstance(story.tell("grid:other", LEFT)[0], Sent)
    assert isinstance(story.grid(GridPaused(code="RISK", author="", reason="x"))[0], Sent)


def test_fills_are_told_as_sums(story: Story) -> None:
    for _ in range(20):
        story.tell(f"ledger:{GRID}", booked("buy"))
    for n in range(17):
        story.tell(f"ledger:{GRID}", booked("sell", grid_quote_e6=1_230_000 if n == 0 else 0))
    digest = digests_of(story)[0]
    assert isinstance(digest, Digested)
    assert digest.text == "Grid sol: 37 fills: 20 buys, 17 sells, net +0.3 SOL, grid profit +1.23."
    assert digest.count == 37


def test_refused_orders_are_told_by_reason(story: Story) -> None:
    for code in ("POST_ONLY_CROSS", "MARGIN", "POST_ONLY_CROSS"):
        story.account(refused(code))
    digest = digests_of(story)[0]
    assert isinstance(digest, Digested)
    assert digest.text == "Grid sol: 3 orders not placed: 1 MARGIN, 2 POST_ONLY_CROSS."


def test_a_thousand_fills_in_a_minute_are_a_handful_of_messages_that_count_them_all(story: Story) -> None:
    messages: list[Digested] = []
    for n in range(1000):
        story.now_ns += 60 * NS_PER_S // 1000 - E9
        due = story.machine.next_wake_ns()
        if due is not None and due <= story.now_ns + E9:
            messages += [fact for fact in story.take(Wake(now_ns=due)) if isinstance(fact, Digested)]
        assert isinstance(story.tell(f"ledger:{GRID}", booked("buy" if n % 2 else "sell"))[0], HeldBack)
    messages += [fact for fact in digests_of(story) if isinstance(fact, Digested)]
    on_terminal = [message for message in messages if message.channel == "terminal"]
    assert len(on_terminal) <= 2
    assert sum(message.count for message in on_terminal) == 1000
    assert story.machine.next_wake_ns() is None


def test_digests_of_a_kind_keep_their_distance(story: Story) -> None:
    story.tell(f"ledger:{GRID}", booked("buy"))
    first = story.machine.next_wake_ns()
    assert first == story.now_ns + 60 * NS_PER_S
    story.take(Wake(now_ns=first))
    story.now_ns = first
    story.tell(f"ledger:{GRID}", booked("buy"))
    assert story.machine.next_wake_ns() == first + 600 * NS_PER_S


def test_a_notifier_without_a_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        Policy(channels=()).checked()
