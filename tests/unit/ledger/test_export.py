"""Statements for spreadsheets and tax: what moved, what it realised, and the same bytes from the same events."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

import msgspec

from gridkeeper_cli.ledger_export import Export, written
from gridkeeper_core.events import (
    Fact,
    FillProven,
    FundingPaid,
    RecordReverted,
    SolMoved,
    TransactionLanded,
    TransactionReverted,
)
from gridkeeper_core.ledger.cost_basis import METHODS, Method
from gridkeeper_core.ledger.export import ExportFold, ExportRow, Survey, WalletFold
from gridkeeper_core.record import Recorded, encode
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue.words import SolKind
from support.account_history import Venue, adoption, foreign_fill, recorded
from support.ledger_story import filled, funding, reverted, settled, snapshot, transferred

HISTORY: tuple[Fact, ...] = (
    snapshot(0, 1_000 * E6),
    filled(1, "buy", 0, price=100, fee_e6=20_000),
    filled(2, "buy", 0, price=110, fee_e6=-5_000),
    funding(-3_000, 3),
    filled(4, "sell", 0, price=120),
    settled(2 * E6, 5),
    transferred(-7 * E6, 6),
)


def rows_of(events: list[Recorded], method: Method = "wac") -> list[ExportRow]:
    survey = Survey("execution_0", None)
    for number, event in enumerate(events, start=1):
        survey.take(number, encode(event), event)
    fold = ExportFold(method, survey.undone, set())
    return [row for event in events for row in fold.take(event)]


def made(events: list[Recorded], to_ns: int | None = None, method: Method = "wac") -> Export:
    survey = Survey("execution_0", to_ns)
    for number, event in enumerate(events, start=1):
        survey.take(number, encode(event), event)
    return Export(method=method, rows=tuple(rows_of(events, method)), range=survey.range)


def told(rows: list[ExportRow]) -> list[tuple[str, int, int, int]]:
    return [(row.kind, row.quote_e6, row.fee_e6, row.realized_pnl_e6) for row in rows]


def test_every_amount_has_a_row_with_its_fee_apart() -> None:
    assert told(rows_of(recorded(HISTORY))) == [
        ("opening", 1_000 * E6, 0, 0),
        ("trade", -100 * E6, 20_000, 0),
        ("trade", -110 * E6, -5_000, 0),
        ("funding", -3_000, 0, 0),
        ("trade", 120 * E6, 0, 15 * E6),
        ("settlement", 2 * E6, 0, 0),
        ("transfer", -7 * E6, 0, 0),
    ]


def test_the_method_decides_what_a_sale_realised() -> None:
    realised = {method: rows_of(recorded(HISTORY), method)[4].realized_pnl_e6 for method in METHODS}
    assert realised == {"wac": 15 * E6, "fifo": 20 * E6, "lifo": 10 * E6, "hifo": 10 * E6}


def test_what_was_held_at_the_beginning_has_the_venues_entry_as_its_cost() -> None:
    venue = Venue()
    venue.base_e9, venue.quote_e6 = E9, -90 * E6
    first = venue.snapshot(0, 100)
    events = recorded((first, filled(1, "sell", 0, price=100)))
    rows = rows_of(events)
    assert [row.kind for row in rows] == ["opening", "opening", "trade"]
    assert rows[-1].position_e9 == 0
    assert rows[-1].realized_pnl_e6 == 100 * E6 + first.positions[0].quote_entry_e6


def test_a_fill_that_was_taken_back_is_in_no_row_and_its_record_seen_again_is() -> None:
    fill = filled(1, "buy", 0, price=100)
    gone = rows_of(recorded((HISTORY[0], fill, reverted(1), filled(2, "sell", 0, price=90))))
    assert [(row.kind, row.position_e9) for row in gone] == [("opening", None), ("trade", -E9)]


def test_fills_of_no_grid_and_adoptions_move_the_position_too() -> None:
    facts = (HISTORY[0], foreign_fill(1, base_e9=2 * E9, quote_e6=200 * E6), adoption(-E9, 100 * E6, 5, 2))
    assert [(row.kind, row.position_e9) for row in rows_of(recorded(facts))] == [
        ("opening", None),
        ("trade", 2 * E9),
        ("adoption", E9),
        ("adoption", None),
    ]


def test_what_transactions_cost_in_sol_is_told_once_each() -> None:
    landed = TransactionLanded(signature="t", slot=1, fee_lamports=5_000)
    fold = ExportFold("wac", set(), set())
    events = recorded((landed, landed), "tx:main")
    assert [row.lamports for event in events for row in fold.take(event)] == [-5_000]


def moved(signature: str, kind: SolKind, before: int, after: int, fee: int) -> SolMoved:
    return SolMoved(
        kind=kind,
        before_lamports=before,
        after_lamports=after,
        fee_lamports=fee,
        priority_lamports=0,
        signature=signature,
        slot=1,
    )


def test_what_moved_a_wallets_sol_has_rows_and_no_fee_has_two() -> None:
    paid: set[str] = set()
    account, wallet = ExportFold("wac", set(), paid), WalletFold("main", paid)
    landed = TransactionLanded(signature="t", slot=1, fee_lamports=5_000)
    facts = (moved("t", "fee", 95, 90, 5_000), moved("r", "rent_paid", 90_000, 55_000, 5_000))
    rows = [row for event in recorded((landed,), "tx:main") for row in account.take(event)]
    rows += [row for event in recorded(facts, "wallet:w") for row in wallet.take(event)]
    rows += [
        row
        for event in recorded((msgspec.structs.replace(landed, signature="r"),), "tx:main")
        for row in account.take(event)
    ]
    assert [(row.kind, row.lamports, row.signature) for row in rows] == [
        ("sol_fee", -5_000, "t"),
        ("sol_fee", -5_000, "r"),
        ("sol_rent_paid", -30_000, "r"),
    ]


def test_the_same_events_give_the_same_bytes_and_other_events_another_hash() -> None:
    events, other = recorded(HISTORY), recorded((*HISTORY[:-1], transferred(-8 * E6, 6)))
    for kind in ("csv", "koinly", "json"):
        assert written(made(events), kind, None) == written(made(recorded(HISTORY)), kind, None)
        assert made(events).range.sha256 in written(made(events), kind, None)
    assert made(events).range.sha256 != made(other).range.sha256


def test_the_hash_is_over_the_events_before_the_end_alone() -> None:
    events = recorded(HISTORY)
    early = made(events, to_ns=events[3].ts_ns).range
    assert (early.first_id, early.last_id, early.events) == (1, 3, 3)
    assert early.sha256 == made(events[:3]).range.sha256


def test_koinly_gets_gains_and_costs_of_the_quote_asset_and_no_trades_of_the_perpetual() -> None:
    lines = list(csv.DictReader(io.StringIO(written(made(recorded(HISTORY)), "koinly", None))))
    assert [(x["Sent Amount"], x["Received Amount"], x["Label"]) for x in lines] == [
        ("", "1000", ""),
        ("0.02", "", "margin fee"),
        ("", "0.005", "realized gain"),
        ("0.003", "", "margin fee"),
        ("", "15", "realized gain"),
        ("7", "", ""),
    ]
    assert lines[0]["Date"] == "2026-01-01 00:00:01 UTC"
    assert {x["Sent Currency"] or x["Received Currency"] for x in lines} == {"USDC"}


def test_times_of_another_zone_are_shown_beside_utc() -> None:
    lines = list(csv.DictReader(io.StringIO(written(made(recorded(HISTORY)), "csv", ZoneInfo("Asia/Tokyo")))))
    assert lines[0]["time"] == "2026-01-01T00:00:01.000000Z"
    assert lines[0]["local_time"] == "2026-01-01T09:00:01.000000+09:00"


def test_a_fill_whose_record_is_lost_is_marked_preliminary() -> None:
    lost = FillProven(
        intent_id="sol/buy/1/0",
        attempt=1,
        order_id=2,
        market="SOL-PERP",
        market_index=0,
        cell=1,
        side="buy",
        base_e9=E9,
        quote_e6=100 * E6,
        fee_e6=-20_000,
        slot=2,
        proof="the order is gone",
    )
    rows = rows_of(recorded((HISTORY[0], filled(1, "buy", 0, price=100, fee_e6=20_000), lost)))
    assert [(row.kind, row.fee_e6, row.preliminary) for row in rows[1:]] == [
        ("trade", 20_000, False),
        ("trade", -20_000, True),
    ]
    table = list(csv.DictReader(io.StringIO(written(made(recorded((HISTORY[0], lost))), "csv", None))))
    assert [row["preliminary"] for row in table] == ["", "yes"]


def test_a_record_that_was_taken_back_is_in_no_row_and_seen_again_it_is() -> None:
    paid = HISTORY[3]
    assert isinstance(paid, FundingPaid)
    back = RecordReverted(signature=paid.signature, index=paid.index)

    assert told(rows_of(recorded((HISTORY[0], paid, back)))) == [("opening", 1_000 * E6, 0, 0)]
    assert told(rows_of(recorded((HISTORY[0], paid, back, paid))))[1:] == [("funding", -3_000, 0, 0)]


def test_a_trade_of_no_grid_that_was_taken_back_leaves_the_position_alone() -> None:
    trade = foreign_fill(1, base_e9=2 * E9, quote_e6=200 * E6)
    back = RecordReverted(signature=trade.signature, index=trade.index)
    rows = rows_of(recorded((HISTORY[0], trade, back, filled(2, "buy", 0, price=90))))
    assert [row.position_e9 for row in rows] == [None, E9]


def test_a_transaction_that_left_the_chain_cost_nothing() -> None:
    landed = TransactionLanded(signature="t", slot=1, fee_lamports=5_000)
    opening, *rest = (*recorded((HISTORY[0],)), *recorded((landed, TransactionReverted(signature="t")), "tx:main"))
    assert [row.kind for row in rows_of([opening, *rest])] == ["opening"]
