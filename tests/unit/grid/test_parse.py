"""A grid file is read exactly, or refused with the setting, what it says and what it should say."""

from __future__ import annotations

import re

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.parse import parse_amount, parse_grid
from gridkeeper_core.grid.settings import EXAMPLE, REQUIRED, SETTINGS
from gridkeeper_core.units import E4, E6, NS_PER_S

SMALL = """
[grid]
id = "sol"
market = "SOL-PERP"
lower = "120"
upper = "180"
intervals = 100
size = { base = "0.1" }
"""


def changed(old: str, new: str) -> str:
    """The small file with one line changed."""
    assert old in SMALL
    return SMALL.replace(old, new)


def refusal(text: str) -> GridkeeperError:
    with pytest.raises(GridkeeperError) as refused:
        parse_grid(text)
    return refused.value


def test_a_file_with_the_required_settings_has_defaults_for_the_rest() -> None:
    assert parse_grid(SMALL) == GridConfig(
        grid_id="sol",
        market="SOL-PERP",
        lower_e6=120_000_000,
        upper_e6=180_000_000,
        intervals=100,
        size_base_e9=100_000_000,
    )


def test_every_setting_is_read() -> None:
    text = """
    [grid]
    id = "eth-1"
    market = "ETH-PERP"
    account = "desk"
    direction = "neutral"
    lower = "2000.5"
    upper = "3000"
    intervals = 10
    spacing = "arithmetic"
    size = { quote = "25.5" }
    leverage = "2.5"
    capital = "1000"
    [window]
    live_orders = 20
    reserve = 5
    hysteresis = 1
    roll_interval = "10s"
    resize_after = "2s"
    [orders]
    order_life = "0"
    [risk]
    enabled = false
    max_drawdown = "0.2"
    price_age_max = "1m"
    """

    assert parse_grid(text) == GridConfig(
        grid_id="eth-1",
        market="ETH-PERP",
        account="desk",
        lower_e6=2_000_500_000,
        upper_e6=3_000_000_000,
        intervals=10,
        spacing="arithmetic",
        size_quote_e6=25_500_000,
        leverage_e4=25_000,
        capital_e6=1_000_000_000,
        live_orders=20,
        reserve=5,
        hysteresis=1,
        roll_interval_ns=10 * NS_PER_S,
        resize_after_ns=2 * NS_PER_S,
        order_life_ns=0,
        risk_enabled=False,
        max_drawdown_e4=2_000,
        price_age_max_ns=60 * NS_PER_S,
    )


def test_levels_by_hand_say_the_range_and_the_intervals() -> None:
    text = '[grid]\nid = "a"\nmarket = "SOL-PERP"\nlevels = ["100", "101.5", "110"]\nsize = { base = "1" }\n'

    config = parse_grid(text)

    assert config.spacing == "custom"
    assert config.custom_levels_e6 == (100_000_000, 101_500_000, 110_000_000)
    assert (config.lower_e6, config.upper_e6, config.intervals) == (100_000_000, 110_000_000, 2)


@pytest.mark.parametrize(
    ("line", "field"),
    [('lower = "99"', "grid.lower"), ("intervals = 5", "grid.intervals"), ('upper = "1"', "grid.upper")],
)
def test_levels_that_contradict_the_range_are_refused(line: str, field: str) -> None:
    text = f'[grid]\nid = "a"\nmarket = "SOL-PERP"\nlevels = ["100", "110"]\nsize = {{ base = "1" }}\n{line}\n'

    refused = refusal(text)

    assert (refused.code, refused.field) == ("BAD_VALUE", field)


def test_levels_and_spacing_together_are_refused() -> None:
    text = changed("intervals = 100", 'levels = ["120", "180"]\nspacing = "geometric"\nintervals = 1')

    assert (refusal(text).code, refusal(text).field) == ("BAD_VALUE", "grid.spacing")


@pytest.mark.parametrize(
    ("old", "new", "code", "field"),
    [
        ("intervals = 100", "interval = 100", "UNKNOWN_KEY", "grid.interval"),
        ("[grid]", "[gird]", "UNKNOWN_KEY", "gird"),
        ('size = { base = "0.1" }', 'size = { bas = "0.1" }', "UNKNOWN_KEY", "grid.size.bas"),
        ('id = "sol"\n', "", "MISSING_KEY", "grid.id"),
        ('market = "SOL-PERP"\n', "", "MISSING_KEY", "grid.market"),
        ('lower = "120"\n', "", "MISSING_KEY", "grid.lower"),
        ("intervals = 100\n", "", "MISSING_KEY", "grid.intervals"),
        ('size = { base = "0.1" }', "", "MISSING_KEY", "grid.size"),
        ('size = { base = "0.1" }', "size = {}", "MISSING_KEY", "grid.size"),
        ('size = { base = "0.1" }', 'size = { base = "0.1", quote = "9" }', "BAD_VALUE", "grid.size"),
        ('size = { base = "0.1" }', 'size = "0.1"', "BAD_VALUE", "grid.size"),
        ('size = { base = "0.1" }', 'size = { base = "0" }', "SIZE_NOT_POSITIVE", "grid.size.base"),
        ('size = { base = "0.1" }', 'size = { quote = "-5" }', "SIZE_NOT_POSITIVE", "grid.size.quote"),
        ('size = { base = "0.1" }', 'size = { base = "0.0000000001" }', "BAD_NUMBER", "grid.size.base"),
        ('lower = "120"', "lower = 120.5", "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', "lower = 120", "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', "lower = nan", "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "12O"', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "1_20"', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "1e2"', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "1e999999999"', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "١٢٠"', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "NaN"', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = ""', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "120.0000001"', "BAD_NUMBER", "grid.lower"),
        ('lower = "120"', 'lower = "0"', "BAD_VALUE", "grid.lower"),
        ('lower = "120"', 'lower = "-120"', "BAD_VALUE", "grid.lower"),
        ('lower = "120"', 'lower = "1000000000.1"', "BAD_VALUE", "grid.lower"),
        ('lower = "120"', 'lower = "180"', "LOWER_NOT_BELOW_UPPER", "grid.lower"),
        ('lower = "120"', 'lower = "200"', "LOWER_NOT_BELOW_UPPER", "grid.lower"),
        ("intervals = 100", 'intervals = "100"', "BAD_NUMBER", "grid.intervals"),
        ("intervals = 100", "intervals = 100.0", "BAD_NUMBER", "grid.intervals"),
        ("intervals = 100", "intervals = true", "BAD_NUMBER", "grid.intervals"),
        ("intervals = 100", "intervals = 0", "LEVELS_TOO_FEW", "grid.intervals"),
        ("intervals = 100", "intervals = 1000", "LEVELS_TOO_MANY", "grid.intervals"),
        ('id = "sol"', 'id = "Sol Range"', "BAD_ID", "grid.id"),
        ('id = "sol"', "id = 7", "BAD_VALUE", "grid.id"),
        ('market = "SOL-PERP"', 'market = "SOL"', "BAD_VALUE", "grid.market"),
        ("intervals = 100", 'intervals = 100\nspacing = "geometrical"', "BAD_VALUE", "grid.spacing"),
        ("intervals = 100", 'intervals = 100\ndirection = "up"', "BAD_VALUE", "grid.direction"),
        ("intervals = 100", 'intervals = 100\nleverage = "0"', "LEVERAGE_NOT_POSITIVE", "grid.leverage"),
        ("intervals = 100", 'intervals = 100\nleverage = "-1"', "LEVERAGE_NOT_POSITIVE", "grid.leverage"),
        ("intervals = 100", 'intervals = 100\nleverage = "101"', "LEVERAGE_TOO_HIGH", "grid.leverage"),
        ("intervals = 100", 'intervals = 100\ncapital = "0"', "BAD_VALUE", "grid.capital"),
        ("intervals = 100", 'levels = ["120"]', "LEVELS_TOO_FEW", "grid.levels"),
        ("intervals = 100", 'levels = "120"', "BAD_VALUE", "grid.levels"),
        ("intervals = 100", 'levels = ["120", 180.0]', "BAD_NUMBER", "grid.levels[1]"),
        ("intervals = 100", 'levels = ["120", "150", "150", "180"]', "LEVELS_NOT_ASCENDING", "grid.levels[2]"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(old: str, new: str, code: str, field: str) -> None:
    refused = refusal(changed(old, new))

    assert (refused.code, refused.field) == (code, field)


@pytest.mark.parametrize(
    ("table", "code", "field"),
    [
        ("[window]\nlive_orders = 30\nreserve = 3", "WINDOW_TOO_LARGE", "window.live_orders"),
        ("[window]\nlive_orders = 33", "WINDOW_TOO_LARGE", "window.live_orders"),
        ("[window]\nlive_orders = 1", "BAD_VALUE", "window.live_orders"),
        ("[window]\nreserve = -1", "BAD_VALUE", "window.reserve"),
        ("[window]\nroll_interval = 5", "BAD_DURATION", "window.roll_interval"),
        ('[window]\nroll_interval = "5 seconds"', "BAD_DURATION", "window.roll_interval"),
        ('[window]\nroll_interval = "2h"', "BAD_VALUE", "window.roll_interval"),
        (f'[window]\nroll_interval = "{"9" * 5000}s"', "BAD_DURATION", "window.roll_interval"),
        ('[orders]\norder_life = "-4h"', "BAD_DURATION", "orders.order_life"),
        ('[orders]\nlife = "4h"', "UNKNOWN_KEY", "orders.life"),
        ("[risk]\nenabled = 1", "BAD_VALUE", "risk.enabled"),
        ('[risk]\nmax_drawdown = "1.5"', "BAD_VALUE", "risk.max_drawdown"),
        ('[risk]\nmax_drawdown = "0"', "BAD_VALUE", "risk.max_drawdown"),
        ('[risk]\nprice_age_max = "0"', "BAD_VALUE", "risk.price_age_max"),
        ("[risk]\nlower = 1", "UNKNOWN_KEY", "risk.lower"),
    ],
)
def test_a_wrong_setting_of_another_table_is_refused_by_name(table: str, code: str, field: str) -> None:
    refused = refusal(f"{SMALL}\n{table}\n")

    assert (refused.code, refused.field) == (code, field)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        (changed("intervals = 100", "interval = 100"), "grid.intervals"),
        (changed("[grid]", "[gird]"), "grid"),
        (f"{SMALL}\n[grid.window]\nlive_orders = 5", "[window]"),
        (changed("intervals = 100", "colour = 100"), "one of grid.id, grid.market"),
        (f'{SMALL}\n[window]\norder_life = "4h"', "orders.order_life"),
    ],
)
def test_an_unknown_name_is_refused_with_what_was_probably_meant(text: str, nearest: str) -> None:
    refused = refusal(text)

    assert refused.code == "UNKNOWN_KEY"
    assert nearest in refused.expected


@pytest.mark.parametrize("direction", ["neutral", "long", "short"])
def test_every_direction_is_read(direction: str) -> None:
    config = parse_grid(changed("intervals = 100", f'intervals = 100\ndirection = "{direction}"'))

    assert config.direction == direction


def test_an_amount_that_is_no_text_is_refused_with_how_to_write_it() -> None:
    assert refusal(changed('lower = "120"', "lower = 120.5")).do == 'Write it as "120.5".'
    assert "not exact" in refusal(changed('lower = "120"', "lower = 120.5")).expected


@pytest.mark.parametrize(
    "text", ["[grid", "a = 1\na = 2", "x = " + "9" * 5000, "x = " + "[" * 5000, "\x00", "x" * 200_001]
)
def test_what_is_not_toml_is_refused_as_such(text: str) -> None:
    assert refusal(text).code == "BAD_TOML"


@pytest.mark.parametrize("text", ["grid = 1", "[[grid]]\nid = 'a'"])
def test_a_table_that_is_none_is_refused(text: str) -> None:
    assert (refusal(text).code, refusal(text).field) == ("BAD_VALUE", "grid")


def test_a_number_too_long_to_show_is_still_refused_by_name() -> None:
    refused = refusal(changed("intervals = 100", f"intervals = 0x{'f' * 9000}"))

    assert (refused.code, refused.field) == ("LEVELS_TOO_MANY", "grid.intervals")


def test_an_amount_is_plain_decimal_text() -> None:
    assert parse_amount(" 1.5 ", E6, "price") == 1_500_000
    assert parse_amount("3", E4, "leverage") == 30_000


def test_the_example_of_the_settings_page_is_sound() -> None:
    assert parse_grid(EXAMPLE).grid_id == "sol-range"


def test_the_defaults_of_the_table_are_those_of_the_settings_themselves() -> None:
    config = parse_grid(SMALL)
    told = {setting.field for setting in SETTINGS if setting.default is not REQUIRED}
    defaults = {field.name: field.default for field in msgspec.structs.fields(GridConfig) if not field.required}

    assert {name: getattr(config, name) for name in told} == {name: defaults[name] for name in told}


def test_every_field_of_the_settings_is_in_the_table() -> None:
    fields = {field.name for field in msgspec.structs.fields(GridConfig)}
    told = {setting.field for setting in SETTINGS}

    assert fields - told == {"size_base_e9", "size_quote_e6"}
    assert told - fields == {"size"}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.path)
def test_every_setting_says_what_it_is_for(setting: object) -> None:
    meaning = getattr(setting, "meaning", "")

    assert re.fullmatch(r"[A-Z`].*[.]", meaning)
