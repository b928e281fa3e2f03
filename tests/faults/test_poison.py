"""An event that cannot be taken stops the one grid it concerns; the others trade on."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import EventSeen, Input, ProposeGrid
from gridkeeper_core.machine import Draft
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.processor import Processor
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import EventStore
from gridkeeper_lab.engine import Lab
from support.audited_record import AuditedRecord
from support.story import SPEC, Story, config

pytestmark = pytest.mark.servers

OTHER = replace(SPEC, symbol="BTC-PERP", index=1)
POSITION = Position(app="execution_0", previous=0, id=1)


class ChokingMachine(StrategyMachine):
    """Chokes on fills of one grid, as a fault in our own code would have it."""

    def accept(self, item: Input) -> list[Draft]:
        if isinstance(item, EventSeen) and getattr(item.event.fact, "intent_id", "").startswith("tale/"):
            raise ZeroDivisionError("a fault of ours")
        return super().accept(item)


async def test_a_grid_whose_input_cannot_be_taken_stops_and_the_other_trades_on(postgres_url: str) -> None:
    story = _two_grids()
    store, thread, machine = EventStore(postgres_url, "strategy_0"), DbThread(), ChokingMachine()
    await thread.run(store.create_tables)
    await thread.run(store.open)
    await thread.run(store.append, AuditedRecord(postgres_url, "", story).events("strategy"))
    _fall(story)
    now_ns = story.now_ns + NS_PER_S
    processor = Processor(
        store=store,
        thread=thread,
        machine=machine,
        clock=lambda: now_ns,
        on_committed=lambda _: None,
        on_poison=machine.fault,
        is_tape=True,
    )
    await processor.restore()
    running = asyncio.create_task(processor.run())

    stopped = await processor.submit(EventSeen(now_ns=now_ns, event=_a_fill_of(story, "tale")), POSITION)
    traded = await processor.submit(
        EventSeen(now_ns=now_ns, event=_a_fill_of(story, "other")), replace(POSITION, previous=1, id=2)
    )

    assert isinstance(stopped[0].fact, e.GridFaulted)
    assert stopped[0].fact.detail == "ZeroDivisionError: a fault of ours"
    assert stopped[-1].fact == replace(stopped[-1].fact, wanted=())
    assert {event.stream for event in stopped} == {"grid:tale"}
    assert {event.stream for event in traded} == {"grid:other"}
    assert store.position("execution_0") == 2
    assert (list(machine.grid("tale").pauses), list(machine.grid("other").pauses)) == (["FAULT"], [])
    processor.stop()
    await running
    thread.close()
    store.close()


def _two_grids() -> Story:
    """On two markets of one account; each rests orders around 105."""
    story = Story(live_orders=10)
    story.lab = Lab([MarketRules(spec=SPEC), MarketRules(spec=OTHER)], fills=FillRules(model="touch"))
    story.opened_at(105)
    story.lab.row(_price(story, 105))
    story.command(
        ProposeGrid(config=config(grid_id="other", market=OTHER.symbol, live_orders=10), source=""), target="grid:other"
    )
    return story


def _fall(story: Story) -> None:
    story.price(103.9)
    story.lab.row(_price(story, 103.9))


def _price(story: Story, price: float) -> Price:
    return Price(
        market=OTHER.symbol,
        source="story",
        source_seq=story.seq,
        ts_ns=story.now_ns,
        oracle_e6=round(price * E6),
        good_for_ns=3600 * NS_PER_S,
    )


def _a_fill_of(story: Story, grid_id: str) -> Recorded:
    """What the venue filled of the grid when the price fell."""
    told = [(event, event.fact) for event in story.lab.log if isinstance(event.fact, e.OrderFilled)]
    return next(event for event, fact in told if fact.intent_id.startswith(f"{grid_id}/"))
