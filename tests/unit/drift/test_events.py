"""The program's log lines become the records of one account, whatever program version wrote them."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from gridkeeper_core.venue.records import (
    CancelRecord,
    FillRecord,
    FundingRecord,
    LiquidationRecord,
    PlacedRecord,
    SettleRecord,
    TransferRecord,
    TriggerRecord,
    VenueRecord,
)
from gridkeeper_drift.codecs import idl
from gridkeeper_drift.codecs.events import decode_logs, log_line, program_logs, venue_records
from gridkeeper_drift.codecs.idl import Named
from support.drift_data import recorded_events, recorded_logs

OURS, OTHER, KEEPER = (Pubkey.from_bytes(bytes([number] * 32)) for number in (1, 2, 3))
OTHER_PROGRAM = "J1TnP8zvVxbtF5KFp5xRmWuvG9McnhzmBd9XGfCyuxFP"


def event(name: str, **fields: Any) -> Named:
    """An event with these fields; all others are zero."""
    blank, _ = idl.events().layouts[name].decode(bytes(2000), 0)
    return Named(name, {**blank, **fields})


def action(kind: str, **fields: Any) -> Named:
    return event("OrderActionRecord", action=kind, market_type="Perp", market_index=1, **fields)


def fill(**fields: Any) -> Named:
    both = {
        f"{role}_{name}": value
        for role in ("taker", "maker")
        for name, value in {
            "order_id": 7 if role == "taker" else 8,
            "order_direction": "Long" if role == "taker" else "Short",
            "order_base_asset_amount": 100,
            "order_cumulative_base_asset_amount_filled": 40,
        }.items()
    }
    amounts = {"fill_record_id": 5, "base_asset_amount_filled": 40, "quote_asset_amount_filled": 6_000}
    fees = {"taker_fee": 6, "maker_fee": -2}
    return action("Fill", **{**both, **amounts, **fees, "taker": OTHER, "maker": OURS, **fields})


def records(*found: Named, user: Pubkey = OURS) -> tuple[VenueRecord, ...]:
    lines = program_logs([log_line(part.name, part.value) for part in found])
    logs = decode_logs(lines)
    assert logs.complete
    assert logs.events == found
    return venue_records(logs.events, user)


def test_recorded_events_of_every_layout_say_what_others_read_in_them() -> None:
    for row in recorded_events():
        named = idl.events().decode(row["data"])
        assert named is not None
        assert named.name == row["type"]
        for field, expected in row["decoded"].items():
            if field != "order":
                found = named.value[idl.snake(field)]
                assert (str(found) if isinstance(found, Pubkey) else found) == expected


def test_older_events_lack_the_newer_fields() -> None:
    old = [row for row in recorded_events() if row["layout_note"] == "ends before bitFlags"]
    assert old
    for row in old:
        named = idl.events().decode(row["data"])
        assert named is not None
        assert named.value["bit_flags"] is None
        assert named.value["builder_fee"] is None


def test_bytes_of_a_newer_program_after_an_event_are_passed_over() -> None:
    for row in recorded_events():
        if row["type"] == "OrderRecord":
            assert idl.events().decode(row["data"] + b"newer") == idl.events().decode(row["data"])


def test_recorded_logs_hold_the_events_that_others_found() -> None:
    for row in recorded_logs():
        logs = decode_logs(row["logs"] if row["has_invoke"] else program_logs(row["logs"]))
        assert logs.complete
        assert [found.name for found in logs.events] == [expected["event"] for expected in row["events"]]


def test_a_recorded_arbitrage_gives_the_maker_his_rebate_and_the_taker_his_fees() -> None:
    logs = decode_logs(recorded_logs()[0]["logs"])
    taker = Pubkey.from_string("5iqawn52cdBmsjC4hDegyFnX1iNRTNDV5mRsGzgqbuyD")
    maker = Pubkey.from_string("GgZkrSFgTAXZn1rNtZ533wpZi6nxx8whJC9bxRESB22c")
    fills = [record for record in venue_records(logs.events, taker) if isinstance(record, FillRecord)]
    assert [(one.side, one.base_e9, one.quote_e6, one.fee_e6, one.maker) for one in fills] == [
        ("sell", 219_000_000_000, 248_324_100, 74_498, False),
        ("buy", 48_000_000_000, 54_220_800, 16_267, False),
        ("buy", 171_000_000_000, 193_161_600, 57_949, False),
    ]
    (made,) = venue_records(logs.events, maker)
    assert isinstance(made, FillRecord)
    assert (made.fill_record_id, made.side, made.fee_e6, made.maker) == (236_231, "buy", -49_664, True)


def test_events_are_ours_from_both_sides_and_nobody_else_s() -> None:
    (made,) = records(fill())
    assert made == FillRecord(index=0, market_index=1, fill_record_id=5, order_id=8, side="sell", base_e9=40,
                              quote_e6=6_000, fee_e6=-2, maker=True, cumulative_e9=40, order_size_e9=100,
                              oracle_e6=0)  # fmt: skip
    (taken,) = records(fill(), user=OTHER)
    assert isinstance(taken, FillRecord)
    assert (taken.order_id, taken.side, taken.fee_e6, taken.maker) == (7, "buy", 6, False)
    assert records(fill(), user=KEEPER) == ()


def test_a_fill_against_the_amm_has_no_taker() -> None:
    (made,) = records(fill(taker=None, taker_order_id=None, taker_fee=None))
    assert isinstance(made, FillRecord)
    assert made.maker


def test_an_order_is_placed_once() -> None:
    blank = event("OrderRecord").value["order"]
    terms = {"direction": "Short", "price": 150, "base_asset_amount": 20, "reduce_only": True, "max_ts": 77}
    order = {**blank, **terms, "order_id": 9, "user_order_id": 3, "market_type": "Perp"}
    found = records(action("Place", maker=OURS, maker_order_id=9), event("OrderRecord", user=OURS, order=order))
    assert found == (
        PlacedRecord(
            index=1,
            order_id=9,
            user_order_id=3,
            market_index=0,
            side="sell",
            price_e6=150,
            size_e9=20,
            reduce_only=True,
            max_ts=77,
        ),
    )


def test_a_triggered_order_is_not_placed_again() -> None:
    order = {**event("OrderRecord").value["order"], "order_id": 9, "market_type": "Perp"}
    found = records(
        action("Trigger", taker=OURS, taker_order_id=9, filler=KEEPER, filler_reward=10_000),
        event("OrderRecord", user=OURS, order=order),
    )
    assert found == (TriggerRecord(index=0, order_id=9, market_index=1, keeper_fee_e6=10_000),)


def test_a_keeper_s_cancel_costs_a_fee_and_our_own_does_not() -> None:
    reason = {"action_explanation": "OrderExpired", "maker": OURS, "maker_order_id": 9, "filler_reward": 10_000}
    (kept,) = records(action("Cancel", filler=KEEPER, **reason))
    assert kept == CancelRecord(
        index=0, order_id=9, market_index=1, explanation="OrderExpired", keeper_fee_e6=10_000, expired=True
    )
    (own,) = records(action("Cancel", filler=OURS, **reason))
    (free,) = records(action("Cancel", filler=None, **{**reason, "filler_reward": None}))
    assert isinstance(own, CancelRecord)
    assert isinstance(free, CancelRecord)
    assert own.keeper_fee_e6 == free.keeper_fee_e6 == 0


def test_money_moves_have_the_account_s_sign() -> None:
    found = records(
        event("FundingPaymentRecord", user=OURS, market_index=1, funding_payment=-77, base_asset_amount=5),
        event("SettlePnlRecord", user=OURS, market_index=1, pnl=-33),
        event("DepositRecord", user=OURS, direction="Deposit", amount=100),
        event("DepositRecord", user=OURS, direction="Withdraw", amount=40),
        event("DepositRecord", user=OURS, direction="Deposit", amount=100, market_index=1),
        event("DepositRecord", user=OTHER, direction="Deposit", amount=100),
    )
    assert found == (
        FundingRecord(index=0, market_index=1, quote_e6=-77, base_e9=5),
        SettleRecord(index=1, market_index=1, quote_e6=-33),
        TransferRecord(index=2, quote_e6=100),
        TransferRecord(index=3, quote_e6=-40),
    )


def test_a_liquidator_s_takeover_is_told_once() -> None:
    order = {**event("OrderRecord").value["order"], "order_id": 7, "market_type": "Perp"}
    perp = {**event("LiquidationRecord").value["liquidate_perp"], "market_index": 1, "base_asset_amount": -40,
            "quote_asset_amount": 6_000, "liquidator_fee": 4, "if_fee": 2, "fill_record_id": 5,
            "liquidator_order_id": 3}  # fmt: skip
    found = records(
        event("OrderRecord", user=OURS, order=order),
        fill(action_explanation="Liquidation", taker=OURS, maker=KEEPER, maker_fee=-4),
        event("LiquidationRecord", user=OURS, liquidation_type="LiquidatePerp", liquidate_perp=perp),
    )
    assert found == (
        LiquidationRecord(index=2, market_index=1, base_e9=-40, quote_e6=6_000, fee_e6=6, fill_record_id=5),
    )


def test_a_liquidation_by_the_market_is_told_by_its_fills() -> None:
    """Two fills sell 40 each; the record names the first and has their sum, with the sign of the long position."""
    perp = {**event("LiquidationRecord").value["liquidate_perp"], "market_index": 1, "base_asset_amount": 80,
            "quote_asset_amount": -12_000, "if_fee": 2, "fill_record_id": 5}  # fmt: skip
    by_market = {"action_explanation": "Liquidation", "taker": OURS, "maker": None, "taker_order_direction": "Short"}
    found = records(
        fill(**by_market),
        fill(**by_market, fill_record_id=6),
        event("LiquidationRecord", user=OURS, liquidation_type="LiquidatePerp", liquidate_perp=perp),
    )
    fills = [record for record in found if isinstance(record, FillRecord)]
    assert [(part.fill_record_id, part.side, part.base_e9, part.fee_e6) for part in fills] == [
        (5, "sell", 40, 6),
        (6, "sell", 40, 6),
    ]
    assert found[2] == LiquidationRecord(index=2, market_index=1, base_e9=0, quote_e6=0, fee_e6=2)


def test_lines_of_other_programs_are_not_believed() -> None:
    line = log_line("DepositRecord", event("DepositRecord", user=OURS, amount=1).value)
    logs = decode_logs([
        f"Program {OTHER_PROGRAM} invoke [1]", line, *program_logs(["Program log: words", "Program log: d29yZHM="]),
        line, f"Program {OTHER_PROGRAM} success", line,
    ])  # fmt: skip
    assert logs.events == ()
    assert logs.complete


def test_the_program_is_heard_when_another_calls_it_and_after_it_called_another() -> None:
    line = log_line("DepositRecord", event("DepositRecord", user=OURS, amount=1).value)
    inner = [f"Program {OTHER_PROGRAM} invoke [3]", line, f"Program {OTHER_PROGRAM} success"]
    logs = decode_logs([f"Program {OTHER_PROGRAM} invoke [1]", *program_logs([*inner, line])])
    assert len(logs.events) == 1


def test_truncated_and_unreadable_logs_are_incomplete() -> None:
    line = log_line("DepositRecord", event("DepositRecord", user=OURS, amount=1).value)
    cut = decode_logs([*program_logs([line])[:2], "Log truncated"])
    assert len(cut.events) == 1
    assert not cut.complete
    assert not decode_logs(program_logs([line[:40]])).complete
