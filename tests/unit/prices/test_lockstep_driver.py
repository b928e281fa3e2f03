"""The lockstep driver against a world in memory: what it announces, trades and publishes, and when it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import Band, MarketTaken, Quiet
from gridkeeper_price_feed.gate import Gate
from gridkeeper_price_feed.lockstep import Lockstep
from support.servers import eventually

SOL = "SOL-PERP"
LEVEL = 10


class World:
    """One service that reacts when a price reaches another level, and a sandbox whose orders rest at the levels.

    A reaction takes `rounds_to_rest` rounds of questions. `deadlines` are taken when the clock reaches them. The chain
    is looked at only when asked; a reaction to a price sends a transaction, whose outcome is another reaction.
    """

    def __init__(self, *, deadlines: Sequence[int] = (), rounds_to_rest: int = 3) -> None:
        self.log: list[tuple[object, ...]] = []
        self.deadlines = sorted(deadlines)
        self.rounds_to_rest = rounds_to_rest
        self.restless = 0
        self.head = 0
        self.now_ns = 0
        self.price_seq = 0
        self.level = 10
        self.deaf_rounds = 0
        self.in_flight = 0
        self.unseen_fills = 0
        self.seen_rest_at: list[tuple[object, ...]] = []

    async def announce_clock(self, now_ns: int) -> None:
        self.log.append(("clock", now_ns))
        if self.deaf_rounds == 0:
            self.now_ns = now_ns
        while self.deadlines and self.deadlines[0] <= self.now_ns:
            self.log.append(("wake", self.deadlines.pop(0)))
            self.react()

    async def quiet(self) -> list[Quiet]:
        self.deaf_rounds = max(0, self.deaf_rounds - 1)
        self.restless = max(0, self.restless - 1)
        band = Band((self.level - 1) * LEVEL, (self.level + 1) * LEVEL)
        answer = Quiet(
            service="strategy",
            now_ns=self.now_ns,
            app="strategy_0",
            head_id=self.head,
            published_id=self.head,
            price_seq={SOL: self.price_seq},
            busy=self.restless > 0,
            in_flight=self.in_flight,
            next_wake_ns=self.deadlines[0] if self.deadlines else None,
            band={SOL: band},
        )
        return [answer]

    async def take_rows(self, market: str, now_ns: int, rows: Sequence[Price]) -> MarketTaken:
        assert self.restless == 0, "the sandbox was given rows while something was on its way"
        assert {row.market for row in rows} == {market}
        assert rows[-1].ts_ns <= now_ns
        self.log.append(("trade", tuple(row.source_seq for row in rows)))
        records = sum(self.reaches(row) for row in rows)
        self.unseen_fills += records
        return MarketTaken(last_seq=rows[-1].source_seq, records=records)

    async def poll_chain(self) -> None:
        assert self.restless == 0, "the chain was looked at while an event was on its way"
        self.log.append(("poll",))
        if self.unseen_fills or self.in_flight:
            self.unseen_fills = self.in_flight = 0
            self.react()

    async def publish(self, rows: Sequence[Price]) -> None:
        assert self.restless == 0, "a price was published while something was on its way"
        self.log.append(("publish", tuple(row.source_seq for row in rows)))
        for row in rows:
            if self.reaches(row):
                assert len(rows) == 1, "a row that reaches a level goes out alone"
                self.level = row.oracle_e6 // LEVEL
                self.in_flight = 1
                self.react()
        self.price_seq = rows[-1].source_seq

    async def resend(self) -> None:
        self.log.append(("resend",))

    def reaches(self, row: Price) -> bool:
        return not (self.level - 1) * LEVEL < row.oracle_e6 < (self.level + 1) * LEVEL

    def react(self) -> None:
        self.head += 1
        self.restless = self.rounds_to_rest


def tape(*prices: int) -> list[Price]:
    return [
        Price(market=SOL, source="tape", source_seq=seq, ts_ns=100 * seq, oracle_e6=price)
        for seq, price in enumerate(prices, 1)
    ]


def driver(world: World, rows: Sequence[Price], *, gate: Gate | None = None, patience_s: float = 5.0) -> Lockstep:
    return Lockstep(
        iter(rows),
        neighbours=world,
        publish=world.publish,
        resend=world.resend,
        gate=gate or Gate(None),
        now_ns=0,
        price_seq={},
        price_readers=frozenset({"strategy"}),
        patience_s=patience_s,
    )


async def test_rows_inside_the_band_go_out_together() -> None:
    world = World()

    await driver(world, tape(101, 102, 99)).run()

    assert world.log == [("clock", 100), ("clock", 300), ("trade", (1, 2, 3)), ("publish", (1, 2, 3))]


async def test_a_row_that_reaches_a_level_goes_out_alone_after_the_fills_it_led_to() -> None:
    world = World()

    await driver(world, tape(101, 111, 112, 125)).run()

    assert [entry for entry in world.log if entry[0] != "clock"] == [
        ("trade", (1,)),
        ("publish", (1,)),
        ("trade", (2,)),
        ("poll",),  # what the row filled
        ("publish", (2,)),
        ("poll",),  # what became of the order that followed from the price
        ("trade", (3,)),
        ("publish", (3,)),
        ("trade", (4,)),
        ("poll",),
        ("publish", (4,)),
        ("poll",),
    ]
    assert world.head == 6  # two levels reached: as a fill, as a price, and by the order that landed


async def test_the_clock_stops_at_every_deadline_before_the_row_after_it() -> None:
    world = World(deadlines=[150, 160, 200, 250, 999])

    await driver(world, tape(101, 102, 103)).run()

    assert world.log == [
        ("clock", 100),
        ("clock", 100),
        ("trade", (1,)),
        ("publish", (1,)),
        ("clock", 150),
        ("wake", 150),
        ("clock", 160),
        ("wake", 160),
        ("clock", 200),
        ("wake", 200),
        ("clock", 200),
        ("trade", (2,)),
        ("publish", (2,)),
        ("clock", 250),
        ("wake", 250),
        ("clock", 300),
        ("trade", (3,)),
        ("publish", (3,)),
    ]


async def test_it_waits_as_long_as_it_takes_to_come_to_rest() -> None:
    world = World(rounds_to_rest=50)

    await driver(world, tape(111, 125, 101)).run()

    assert world.log[-2:] == [("publish", (3,)), ("poll",)]


async def test_calm_rows_cost_two_rounds_of_questions_for_the_whole_batch() -> None:
    world = World()
    lockstep = driver(world, tape(*[100] * 500))

    await lockstep.run()

    assert lockstep.rounds == 4  # at the start, and after the batch


async def test_it_gives_up_with_the_reason_when_there_is_no_rest() -> None:
    world = World(rounds_to_rest=10**9)

    with pytest.raises(GridkeeperError) as caught:
        await driver(world, tape(111), patience_s=0.05).run()

    assert caught.value.code == "SERVICE_SILENT"
    assert "strategy is busy" in str(caught.value)


async def test_the_clock_and_the_last_price_are_sent_again_to_who_has_not_heard_of_them() -> None:
    world = World()
    world.deaf_rounds = 100

    await driver(world, tape(101)).run()

    assert world.log[:3] == [("clock", 100), ("clock", 100), ("resend",)]
    assert world.log[-1] == ("publish", (1,))


async def test_a_held_tape_goes_on_when_it_is_let() -> None:
    world, gate = World(), Gate(2)
    running = asyncio.create_task(driver(world, tape(101, 101, 101, 101, 101), gate=gate).run())

    await eventually(lambda: gate.is_held)
    assert [entry for entry in world.log if entry[0] == "publish"] == [("publish", (1, 2))]
    gate.open(1)
    await eventually(lambda: gate.is_held)
    assert world.log[-1:] == [("publish", (3,))]
    gate.open(None)
    await running

    assert world.log[-1:] == [("publish", (4, 5))]
    assert gate.rows_out == 5


async def test_a_tape_taken_up_again_begins_with_its_clock_and_waits_for_the_last_price() -> None:
    world = World()
    world.price_seq = 7
    rows = [msgspec.structs.replace(row, source_seq=row.source_seq + 7, ts_ns=row.ts_ns + 700) for row in tape(101)]
    lockstep = Lockstep(
        iter(rows),
        neighbours=world,
        publish=world.publish,
        resend=world.resend,
        gate=Gate(None),
        now_ns=700,
        price_seq={SOL: 7},
        price_readers=frozenset({"strategy"}),
    )

    await lockstep.run()

    assert world.log == [("clock", 700), ("clock", 800), ("trade", (8,)), ("publish", (8,))]
