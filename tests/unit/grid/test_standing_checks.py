"""What a grid does when a standing check of its account or market fails, and when it passes again."""

from __future__ import annotations

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.inputs import EventSeen, PauseGrid, ResumeGrid
from gridkeeper_core.record import GENESIS, Recorded
from support.story import Story


def told(story: Story, fact: e.Fact, account: str = "main") -> list[str]:
    """The names of what the grid makes of it."""
    event = Recorded(
        stream=f"account:{account}", version=999, ts_ns=story.now_ns, cause="", thread="", prev=GENESIS, fact=fact
    )
    return [type(d.fact).__name__ for d in story.lab.strategy.accept(EventSeen(now_ns=story.now_ns, event=event))]


def tripped(code: str, market: str = "", *, pauses: bool = True) -> e.GuardTripped:
    return e.GuardTripped(code=code, market=market, detail="as measured", pauses=pauses)


def test_a_failed_check_pauses_with_its_code_and_a_passed_one_resumes_by_itself() -> None:
    story = Story().opened_at(105.2)

    told(story, tripped("SOL_LOW"))
    assert story.grid.pauses == {"SOL_LOW": True}
    assert len(story.grid.orders) == 10  # resting orders stay: cancelling costs SOL as well
    told(story, e.GuardCleared(code="SOL_LOW", market="", detail=""))
    assert story.grid.pauses == {}


def test_orders_that_no_longer_fit_the_market_are_cancelled() -> None:
    story = Story().opened_at(105.2)

    assert told(story, tripped("MARKET_CHANGED", "SOL-PERP"))[-1] == "OrdersWanted"
    assert all(order.unwanted == "pause" for order in story.grid.orders.values())


@pytest.mark.parametrize(
    ("fact", "account"),
    [
        (tripped("CLOCK_SKEW"), "other"),
        (tripped("MARKET_CLOSED", "ETH-PERP"), "main"),
        (tripped("CLOCK_DRIFT", pauses=False), "main"),
        (e.GuardCleared(code="SOL_LOW", market="", detail=""), "main"),
    ],
)
def test_what_concerns_others_or_only_warns_changes_nothing(fact: e.Fact, account: str) -> None:
    story = Story().opened_at(105.2)
    before = story.grid

    assert told(story, fact, account) == []
    assert story.grid == before


def test_a_persons_resume_does_not_end_what_a_check_paused() -> None:
    story = Story().opened_at(105.2)
    told(story, tripped("CLOCK_SKEW"))

    story.command(PauseGrid()).command(ResumeGrid())
    assert list(story.grid.pauses) == ["CLOCK_SKEW"]
    told(story, e.GuardCleared(code="CLOCK_SKEW", market="", detail="agrees again"))
    assert len([order for order in story.grid.orders.values() if not order.unwanted]) == 10
