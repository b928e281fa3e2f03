"""What a grid does when a standing check of its account or market fails, and when it passes again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.inputs import Command, EventSeen, PauseGrid, ProposeGrid, ResumeGrid, StopGrid
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E9, NS_PER_S
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


def adopted(story: Story, base_e9: int) -> list[str]:
    """A person takes the venue's word: the account holds this much. The facts that the grid answers with."""
    known = story.lab.venue.read("main", "main")
    positions = tuple(replace(position, base_e9=base_e9) for position in known.positions)
    fact = e.AccountAdopted(
        author="ann", reason="checked", slot=1, differences=(), deposit_e6=0, deposit_change_e6=0, positions=positions,
        changes=(), orders=(),
    )  # fmt: skip
    return told(story, fact)


def closing(story: Story) -> list[e.WantedOrder]:
    """What the grid wants placed when a person stops it and closes its position."""
    stop = Command(now_ns=story.now_ns, key="k", author="ann", reason="", target="grid:tale", body=StopGrid(close=True))
    asked = [d.fact for d in story.lab.strategy.accept(stop) if isinstance(d.fact, e.OrdersWanted)]
    return [want for fact in asked for want in fact.wanted]


def test_a_grid_whose_position_the_account_does_not_have_waits_for_a_person_and_closes_what_is_there() -> None:
    story = Story().opened_at(105.2).price(102.9).command(PauseGrid())
    assert story.grid.position_e9 == 2 * E9  # bought at 104 and 103

    assert adopted(story, 2 * E9) == []
    assert adopted(story, 3 * E9) == ["PositionDoubted"]  # one more is somebody else's, and no trouble
    assert story.grid.pauses == {"PAUSED": False}
    assert "GridPaused" in adopted(story, E9)
    assert "POSITION_DIFFERS" in story.grid.pauses
    assert story.grid.told["POSITION_DIFFERS"] == "gridkeeper: the account holds 1, the grid believes in 2"

    assert [(want.kind, want.side, want.size_e9) for want in closing(story)] == [("flatten", "sell", E9)]


def test_a_grid_whose_position_is_gone_ends_without_an_order() -> None:
    story = Story().opened_at(105.2).price(102.9).command(PauseGrid())
    adopted(story, -E9)

    assert closing(story) == []
    assert story.grid.status == "stopped"


def test_a_grid_goes_on_by_itself_when_the_account_has_its_position_again() -> None:
    story = Story().opened_at(105.2).price(102.9)
    adopted(story, 0)

    assert "GridResumed" in adopted(story, 2 * E9)
    assert story.grid.pauses == {}


def test_a_grid_does_not_open_at_a_price_that_is_too_old() -> None:
    story = Story().price(105.2)
    story.lab.advance(story.now_ns + 3601 * NS_PER_S)  # the row was good for an hour
    story.command(ProposeGrid(config=story.config, source=""))

    (rejected,) = story.facts(e.GridRejected)
    assert rejected == e.GridRejected(code="NO_PRICE", detail="the newest price of SOL-PERP is 3601s old")
