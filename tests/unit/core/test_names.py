"""Names are spelled as the other services expect them."""

from __future__ import annotations

import pytest

from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError


@pytest.mark.parametrize("text", ["sol-range", "0", "a" * 40, "9-lives"])
def test_an_id_of_small_letters_digits_and_dashes_is_allowed(text: str) -> None:
    assert names.check_id(text, "grid.id") == text


@pytest.mark.parametrize("text", ["", "-a", "A", "a_b", "a.b", "a b", "a" * 41, "a\n", "ä", "a/b", "a:b", "*", ">"])
def test_any_other_id_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        names.check_id(text, "grid.id")

    assert (refused.value.code, refused.value.field) == ("BAD_ID", "grid.id")


def test_a_stream_is_split_at_its_first_colon() -> None:
    assert names.split_stream(names.stream("market", "drift:0")) == ("market", "drift:0")


def test_an_event_subject_has_a_fixed_number_of_tokens() -> None:
    grid = names.event_subject(0, "strategy", "grid:sol-range", "order.wanted.v1")
    market = names.event_subject(1, "execution", "market:drift:0", "account.slots_reserved.v1")

    assert grid == "ev.0.strategy.grid.sol-range.order-wanted-v1"
    assert market == "ev.1.execution.market.drift-0.account-slots-reserved-v1"


def test_an_event_subject_lies_inside_of_its_writers_fence() -> None:
    subject = names.event_subject(3, "ledger", "ledger:sol-range", "ledger.marked.v1")

    assert names.writer_subjects(3, "ledger") == "ev.3.ledger.>"
    assert subject.startswith("ev.3.ledger.")


def test_prices_commands_and_queries_have_their_own_subjects() -> None:
    assert names.price_subject("SOL-PERP") == "px.SOL-PERP"
    assert names.command_subject(0, "grid", "sol-range", "pause") == "cmd.0.grid.sol-range.pause"
    assert names.query_subject(0, "strategy", "heads") == "query.0.strategy.heads"


def test_each_shard_of_a_service_has_its_own_log() -> None:
    assert names.app_name("strategy", 0) == "strategy_0"
    assert names.app_name("strategy", 1) != names.app_name("strategy", 0)


def test_an_intent_says_grid_kind_key_and_cycle() -> None:
    intent = names.intent_id("sol-range", "buy", 7, 2)

    assert intent == "sol-range/buy/7/2"
    assert names.split_intent(intent) == names.IntentParts("sol-range", "buy", 7, 2)
    assert names.grid_of(intent) == "sol-range"


@pytest.mark.parametrize("text", ["", "sol-range", "sol-range/buy/x/0", "a/b/1/2/3"])
def test_what_is_no_intent_is_not_split(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        names.split_intent(text)


@pytest.mark.parametrize("market", ["SOL-PERP", "1MBONK-PERP"])
def test_markets_are_named_for_what_is_traded(market: str) -> None:
    assert names.MARKET_PATTERN.fullmatch(market)


@pytest.mark.parametrize("market", ["SOL", "sol-PERP", "-PERP", "SOL-PERP.", "SOL.X-PERP"])
def test_other_market_names_do_not_pass(market: str) -> None:
    assert not names.MARKET_PATTERN.fullmatch(market)
