"""What leaves the command as JSON: amounts as text, times as ISO 8601, nothing renamed by accident."""

from __future__ import annotations

from gridkeeper_cli.documents import iso_utc, readable
from gridkeeper_cli.reference_configuration import TABLES
from gridkeeper_cli.reference_settings import settings_page
from gridkeeper_cli.render import cell, cents, counted
from gridkeeper_core.events import GridOpened, OrdersWanted, PriceSeen, WantedOrder
from gridkeeper_core.grid.settings import SETTINGS
from gridkeeper_core.prices.price import Price
from support.command import SPEC


def test_a_time_is_exact_to_the_microsecond() -> None:
    assert iso_utc(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456Z"


def test_a_fact_is_readable_by_the_units_in_its_names() -> None:
    opened = GridOpened(
        levels_e6=(90_000_000, 100_500_000),
        sizes_e9=(1_000_000_000,),
        held_e9=(0,),
        start_price_e6=95_000_000,
        start_position_e9=0,
        spec=SPEC,
    )

    told = readable(opened)

    assert told["levels"] == ["90", "100.5"]
    assert (told["sizes"], told["start_price"]) == (["1"], "95")
    assert (told["spec"]["tick"], told["spec"]["maker_fee"]) == ("0.01", "-0.0002")


def test_moments_and_durations_are_told_apart_and_unknown_stays_unknown() -> None:
    price = Price(
        market="SOL-PERP", source="x", source_seq=1, ts_ns=1_700_000_000 * 10**9, oracle_e6=1, good_for_ns=60 * 10**9
    )

    told = readable(PriceSeen(price=price, passed_over=0))["price"]

    assert (told["ts"], told["good_for"]) == ("2023-11-14T22:13:20.000000Z", "1m")
    assert (told["oracle"], told["bid"]) == ("0.000001", None)


def test_structs_in_lists_are_readable_too() -> None:
    order = WantedOrder(intent_id="a/buy/0/0", kind="buy", cell=0, side="buy", price_e6=1_500_000, size_e9=10**8)
    wanted = OrdersWanted(
        account="main", market="SOL-PERP", unwanted=(), wanted=(order,), rolled=True, reference_e6=10**6, price_seq=1
    )

    told = readable(wanted)["wanted"][0]

    assert (told["price"], told["size"], told["lasts"]) == ("1.5", "0.1", "0")


def test_money_is_read_to_the_cent_with_its_sign() -> None:
    assert cents("1234.565") == "+1,234.56"
    assert cents("-0.125001") == "-0.13"
    assert (cents("-0.001"), cents("0")) == ("0.00", "0.00")
    assert cents(None) is None


def test_a_count_and_its_noun_agree() -> None:
    assert [counted(count, "fill") for count in (0, 1, 2)] == ["0 fills", "1 fill", "2 fills"]


def test_empty_and_unknown_are_a_dash() -> None:
    assert [cell(value) for value in (None, "", [], False, 0, ["A", "B"])] == ["-", "-", "-", "no", "0", "A, B"]


def test_the_settings_page_tells_of_every_entry_of_gridkeeper_toml() -> None:
    page = settings_page()

    for entry, rows in TABLES.values():
        assert list(rows) == list(entry.__struct_fields__)
    assert "| `max_per_market` | none | quote |" in page
    assert '| `utc_offset` | `"+00:00"` |' in page
    assert "| `authority` | required |" in page


def test_the_settings_page_names_every_setting() -> None:
    page = settings_page()

    assert all(f"| `{setting.path.partition('.')[2]}` |" in page for setting in SETTINGS)
