"""The story of an order, read from the record of a lab: grid at 100, 101, … 110, price 105."""

from __future__ import annotations

from gridkeeper_core.grid.explain import Step, story_of
from gridkeeper_core.inputs import PauseGrid
from gridkeeper_core.units import E6
from support.story import Story


def of(story: Story, intent_id: str) -> list[Step]:
    return list(story_of(story.lab.log, intent_id))


def test_a_filled_order_is_told_from_price_to_ledger_line() -> None:
    story = Story().opened_at(105).price(104)

    told = of(story, "tale/buy/4/0")

    kinds = [step.kind for step in told]
    chain = ["price", "decision", "intent", "transaction", "outcome", "resting", "fill", "cell", "ledger"]
    assert [kind for kind in kinds if kind in chain] == chain
    assert told[1].words == "wanted: buy 1 at 104, the market at 105"
    assert all("@" in step.event for step in told)
    recorded = {event.identity for event in story.lab.log}
    assert {step.event for step in told} <= recorded


def test_a_cancelled_order_is_told_with_what_it_was_cancelled_for() -> None:
    story = Story().opened_at(105).command(PauseGrid())

    told = of(story, "tale/sell/5/0")

    assert "unwanted: pause" in [step.words for step in told]
    assert told[-1].kind in ("closed", "grid")
    assert sum(step.kind == "transaction" for step in told) == 2  # one places it, one cancels it


def test_an_order_for_lack_of_margin_is_told_as_refused() -> None:
    story = Story(size_base_e9=200_000 * E6 * 1_000).opened_at(105)

    refused = [step for step in of(story, "tale/buy/0/0") if step.kind == "refused"]

    assert refused
    assert refused[0].words.startswith("MARGIN: needs")


def test_each_order_has_a_story_of_its_own() -> None:
    story = Story().opened_at(105).price(104)

    assert not {s.event for s in of(story, "tale/sell/4/0") if s.kind == "fill"}
    assert of(story, "tale/buy/99/0") == []
