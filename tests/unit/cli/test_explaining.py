"""`grid explain` and the level table of `grid show`: each level with its reason, each order with its story."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.events import GridPaused, GridProposed, OrderFilled, OrdersWanted, PriceSeen, WantedOrder
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.prices.price import Price
from gridkeeper_core.requests import LevelView, PauseView
from support.command import START_NS, System, document
from support.command_answers import DETAIL, OPENED, VIEW

pytestmark = pytest.mark.servers

INTENT = "sol/buy/0/0"
LEVELS = (
    LevelView(
        level=0, price_e6=90_000_000, side="buy", cell=0, size_e9=10**9, code="ORDER", meaning="Its order is live.",
        intent_id=INTENT, until_ns=0, detail="",
    ),
    LevelView(
        level=1, price_e6=100_000_000, side="sell", cell=0, size_e9=10**9, code="MARGIN", meaning="Too little.",
        intent_id="", until_ns=START_NS, detail="2 tries",
    ),
)  # fmt: skip
SHOWN = msgspec.structs.replace(
    DETAIL,
    reasons=LEVELS,
    pauses=(PauseView(code="PAUSED", meaning="By a person.", told="ann: news"),),
    view=msgspec.structs.replace(VIEW, state="paused", reasons=("PAUSED",)),
)


@pytest.fixture
async def recorded(with_grid: System) -> System:
    """One order from its price to its fill, and a pause a minute later."""
    price = Price(market="SOL-PERP", source="test", source_seq=7, ts_ns=START_NS, oracle_e6=100_000_000)
    wanted = WantedOrder(intent_id=INTENT, kind="buy", cell=0, side="buy", price_e6=90_000_000, size_e9=10**9)
    decision = OrdersWanted(
        account="main", market="SOL-PERP", unwanted=(), wanted=(wanted,), rolled=False, reference_e6=100_000_000,
        price_seq=7,
    )  # fmt: skip
    fill = OrderFilled(
        intent_id=INTENT, attempt=1, order_id=5, market="SOL-PERP", market_index=0, fill_record_id=11, cell=0,
        side="buy", price_e6=90_000_000, base_e9=10**9, quote_e6=90_000_000, fee_e6=-18_000, maker=True,
        cumulative_e9=10**9, size_e9=10**9, oracle_e6=90_000_000, slot=1, signature="sig", index=0,
    )  # fmt: skip
    services = with_grid.services
    services.grids = {"sol": SHOWN}
    proposed = GridProposed(config=parse_grid(DETAIL.source), source=DETAIL.source, author="ann", reason="")
    for fact in (proposed, OPENED, PriceSeen(price=price, passed_over=0), decision):
        await services.record("strategy", "grid:sol", fact, START_NS)
    await services.record("execution", "account:main", fill, START_NS + 1)
    pause = GridPaused(code="PAUSED", author="ann", reason="news")
    await services.record("strategy", "grid:sol", pause, START_NS + 60 * 10**9)
    return with_grid


async def test_every_level_is_told_with_its_reason(recorded: System) -> None:
    told = (await recorded.ask("grid", "explain", "sol"))["explain"]

    assert (told["state"], told["pauses"]) == (
        "paused",
        [{"code": "PAUSED", "meaning": "By a person.", "told": "ann: news"}],
    )
    assert [level["code"] for level in told["levels"]] == ["ORDER", "MARGIN"]
    assert told["levels"][1]["until"] == "2023-11-14T22:13:20.000000Z"
    assert told["story"] == []


async def test_a_level_with_an_order_comes_with_the_story_of_the_order(recorded: System) -> None:
    told = (await recorded.ask("grid", "explain", "sol", "--level", "0"))["explain"]

    assert [(step["kind"], step["event"]) for step in told["story"]] == [
        ("price", "grid:sol@3"),
        ("decision", "grid:sol@4"),
        ("fill", "account:main@1"),
    ]


async def test_an_order_is_told_by_its_intent(recorded: System) -> None:
    shown = (await recorded.run("grid", "explain", "sol", "--order", INTENT)).stdout

    assert "wanted: buy 1 at 90, the market at 100" in shown
    assert "1 at 90 as maker, fee -0.018" in shown


async def test_an_earlier_moment_is_folded_from_the_events(recorded: System) -> None:
    before = (await recorded.ask("grid", "explain", "sol", "--at", "2023-11-14T22:13:21Z"))["explain"]
    after = (await recorded.ask("grid", "explain", "sol", "--at", "2023-11-14T22:15:00Z"))["explain"]

    assert (before["pauses"], next(level["code"] for level in before["levels"])) == ([], "ORDER")
    assert [pause["code"] for pause in after["pauses"]] == ["PAUSED"]
    assert "PAUSED" in [level["code"] for level in after["levels"]]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--level", "9"), "--level"),
        (("--order", "other/buy/0/0"), "--order"),
        (("--order", "sol/buy/9/9"), "--order"),
        (("--at", "yesterday"), "--at"),
        (("--at", "2020-01-01"), "--at"),
    ],
)
async def test_what_cannot_be_explained_is_refused(recorded: System, arguments: tuple[str, ...], field: str) -> None:
    result = await recorded.run("grid", "explain", "sol", *arguments, "--json")

    assert (result.exit_code, document(result)["error"]["field"]) == (1, field)


async def test_show_lists_levels_with_reason_codes_and_the_pause_in_words(recorded: System) -> None:
    shown = (await recorded.run("grid", "show", "sol")).stdout

    assert "PAUSED: By a person. ann: news" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["1", "100", "sell", "1", "-", "MARGIN", "2", "tries"] in rows
    assert ["0", "90", "buy", "1", "0", "ORDER", "-"] in rows
