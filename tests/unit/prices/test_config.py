"""The price-feed's settings refuse what cannot work, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_price_feed.config import PREFIX, PriceFeedSettings, check_files, names_in
from gridkeeper_runtime.settings import read_settings

TAPE = '{"SOL-PERP": {"source": "replay:a.csv,b.csv"}}'


def settings(feeds: str, **others: str) -> PriceFeedSettings:
    values = {"nats_url": "nats://x", "postgres_url": "postgres://x", "data_dir": "/tmp/x", "feeds": feeds, **others}
    return read_settings(PriceFeedSettings, PREFIX, {PREFIX + name.upper(): text for name, text in values.items()})


def test_a_replay_names_its_files() -> None:
    spec = settings(TAPE).feed_specs()["SOL-PERP"]

    assert spec.files == [Path("a.csv"), Path("b.csv")]
    assert settings(TAPE).is_tape


def test_a_synthetic_market_has_no_files_and_its_seed_is_part_of_its_name() -> None:
    spec = settings('{"SOL-PERP": {"source": "synthetic", "seed": 4}}').feed_specs()["SOL-PERP"]

    assert (spec.files, spec.label) == ([], "synthetic:4")


@pytest.mark.parametrize(
    ("feeds", "others", "said"),
    [
        ('{"SOL-PERP": {"source": "weather"}}', {}, "is not synthetic, replay"),
        ('{"sol": {}}', {}, "no market such as SOL-PERP"),
        ('{"SOL-PERP": {"sed": 4}}', {}, "sed"),
        ("SOL-PERP", {}, "malformed"),
        ('{"SOL-PERP": {}, "BTC-PERP": {"source": "replay:a"}}', {}, "cannot be mixed"),
        ('{"SOL-PERP": {}}', {"lockstep": "true"}, "lockstep needs a recorded source"),
        (TAPE, {"speed": "61"}, "use lockstep"),
        (TAPE, {"speed": "0"}, "above zero"),
    ],
)
def test_settings_that_cannot_work_are_refused(feeds: str, others: dict[str, str], said: str) -> None:
    with pytest.raises(GridkeeperError) as caught:
        settings(feeds, **others)

    assert caught.value.code == "BAD_VALUE"
    assert said in str(caught.value)


def test_a_lockstep_may_be_as_fast_as_it_likes() -> None:
    assert settings(TAPE, lockstep="true", speed="1000").lockstep


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(GridkeeperError) as caught:
        check_files(settings(TAPE).feed_specs())

    assert (caught.value.code, caught.value.value) == ("BAD_FILE", "a.csv")


def test_a_list_of_names_may_have_spaces_and_may_be_empty() -> None:
    assert names_in("strategy, ledger") == ["strategy", "ledger"]
    assert names_in("") == []
