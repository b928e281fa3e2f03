"""Liquidation, triggers, pauses and a failing oracle as they stand on the chain: transactions, log lines, accounts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from solders.keypair import Keypair

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.venue.records import CancelRecord, FillRecord, LiquidationRecord, TriggerRecord, VenueRecord
from gridkeeper_core.venue.state import Market, MarketRules
from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.codecs.addresses import perp_market_address, state_address, token_account_address
from gridkeeper_drift.codecs.events import decode_logs, venue_records
from gridkeeper_drift.codecs.idl import accounts
from gridkeeper_drift.codecs.instructions import Trader
from gridkeeper_sandbox.accounts_view import market_oracle
from gridkeeper_sandbox.administering import MarketChange, changed
from gridkeeper_sandbox.world import QUOTE_MINT
from support.chain_client import QUOTE_ORACLE, ChainClient
from support.venue import SOL, SPEC, USD, order

Start = Callable[..., ChainClient]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def begin(*, deposit_e6: int = 1_000 * USD, **settings: object) -> ChainClient:
        client = ChainClient(tmp_path / "chain", **settings)
        started.append(client)
        client.open(deposit_e6)
        return client

    yield begin
    for client in started:
        client.sandbox.close()


def last_records(chain: ChainClient) -> tuple[VenueRecord, ...]:
    """The records of the newest transaction that names the account, read as an adapter does."""
    newest = chain.sandbox.chain.landed[-1].signature
    found = chain.result("getTransaction", newest, {"encoding": "base64", "commitment": "confirmed"})
    assert str(chain.trader.user) in chain.sandbox.chain.landed[-1].keys
    return venue_records(decode_logs(found["meta"]["logMessages"]).events, chain.trader.user)


def decoded(chain: ChainClient, kind: str, address: Any) -> Any:
    value = chain.result("getAccountInfo", str(address), {"encoding": "base64", "commitment": "processed"})["value"]
    found = accounts().decode(base64.b64decode(value["data"][0]))
    assert found is not None
    assert found.name == kind
    return found.value


def test_a_liquidation_lands_as_a_liquidator_s_transaction_and_reads_back_as_the_model_s_records(start: Start) -> None:
    chain = start(deposit_e6=100 * USD)
    chain.send(chain.place(order("buy", "149", 6 * SOL)))
    chain.price(148)
    chain.send(chain.place(order("sell", "170", SOL, reduce_only=True)))
    chain.price(139)
    cancelled, liquidated = last_records(chain)
    assert isinstance(cancelled, CancelRecord)
    assert (cancelled.order_id, cancelled.explanation) == (2, "Liquidation")
    assert isinstance(liquidated, LiquidationRecord)
    assert (liquidated.base_e9, liquidated.quote_e6, liquidated.fee_e6, liquidated.fill_record_id) == (
        -2_190_000_000,
        304_410_000,
        3_044_100,
        2,
    )
    assert liquidated.index == 2  # after the cancel and the liquidator's fill
    assert chain.user().tail.status == 0
    lines = decode_logs(chain.sandbox.chain.landed[-1].logs).events
    told = next(event.value for event in lines if event.name == "LiquidationRecord")
    assert list(told["canceled_order_ids"]) == [2]
    assert told["bankrupt"] is False


def test_a_bankrupt_account_says_so_and_is_refused(start: Start) -> None:
    chain = start(deposit_e6=100 * USD)
    chain.send(chain.place(order("buy", "149", 6 * SOL)))
    chain.price(148)
    chain.price(120)
    assert chain.user().tail.status == 2
    answer = chain.submit(chain.sign(chain.place(order("buy", "100"))))
    assert answer["error"]["data"]["err"] == {"InstructionError": [1, {"Custom": 6125}]}


def test_a_stop_fires_fills_and_charges_the_keeper_s_fee(start: Start) -> None:
    chain = start(keeper_fee_e6=10_000, slippage_bps=50)
    chain.send(chain.place(order("buy", "149", SOL)))
    chain.price(148)
    stop = order(
        "sell", "0", 2**64 - 1, post_only="none", reduce_only=True, order_type="trigger_market", trigger_e6=140 * USD
    )
    chain.send(chain.place(stop))
    chain.price(139)
    fired, filled, rest = last_records(chain)
    assert isinstance(fired, TriggerRecord)
    assert fired.keeper_fee_e6 == 10_000
    assert isinstance(filled, FillRecord)
    assert (filled.base_e9, filled.quote_e6, filled.maker) == (SOL, 138_305_000, False)
    assert isinstance(rest, CancelRecord)
    assert decoded(chain, "State", state_address())["perp_fee_structure"]["flat_filler_fee"] == 10_000


def test_the_measured_fill_of_the_real_program_stands_in_the_account_to_the_unit(start: Start) -> None:
    chain = start()
    chain.send(chain.place(order("buy", "149.99", SOL // 10)))
    chain.price(149.98)
    position = chain.user().perp_positions[0]
    assert (position.base_asset_amount, position.quote_entry_amount) == (10**8, -14_999_000)
    assert (position.quote_asset_amount, position.quote_break_even_amount) == (-14_996_001, -14_996_001)
    (filled,) = last_records(chain)
    assert isinstance(filled, FillRecord)
    assert (filled.quote_e6, filled.fee_e6) == (14_999_000, -2_999)


def test_what_the_admin_changes_stands_in_the_accounts_and_survives_a_restart(start: Start) -> None:
    chain = start()
    chain.result("sandbox_setMarket", "SOL-PERP", {"status": "reduce-only", "paused_operations": 4, "tick_e6": 1_000})
    chain.result("sandbox_setExchange", 8)
    for _ in range(2):
        market = decoded(chain, "PerpMarket", perp_market_address(0))
        assert (market["status"], market["paused_operations"]) == ("ReduceOnly", 4)
        assert market["amm"]["order_tick_size"] == 1_000
        assert decoded(chain, "State", state_address())["exchange_status"] == 8
        chain.restart()
    assert "error" in chain.ask("sandbox_setMarket", "SOL-PERP", {"color": 1})
    assert "error" in chain.ask("sandbox_setMarket", "DOGE-PERP", {})


def test_a_frozen_oracle_grows_old_in_its_account(start: Start) -> None:
    chain = start()
    spec = chain.sandbox.world.venue.markets[0].spec
    chain.result("sandbox_setMarket", "SOL-PERP", {"is_frozen": True, "confidence_e6": 5 * USD})
    before = decoded(chain, "PythLazerOracle", market_oracle(spec))
    chain.price(155, after_s=60)
    after = decoded(chain, "PythLazerOracle", market_oracle(spec))
    assert (after["price"], after["posted_slot"]) == (before["price"], before["posted_slot"])
    assert after["conf"] == 500_000_000
    assert chain.sandbox.slot() - after["posted_slot"] >= 150


def test_the_pool_of_a_market_stands_in_its_account_and_limits_settlement(start: Start) -> None:
    chain = start(pnl_pool_e6=0)
    chain.send(chain.place(order("buy", "149", SOL)))
    chain.price(148)
    chain.send(chain.place(order("sell", "151", SOL)))
    chain.price(152)
    settle = instructions.settle_pnl(chain.trader, 0, chain.markets(), QUOTE_ORACLE)
    assert chain.submit(chain.sign(settle))["error"]["data"]["err"] == {"InstructionError": [1, {"Custom": 6260}]}
    chain.result("sandbox_setMarket", "SOL-PERP", {"pnl_pool_e6": 1 * USD})
    assert decoded(chain, "PerpMarket", perp_market_address(0))["pnl_pool"]["scaled_balance"] == 10**9
    chain.send(settle)
    assert decoded(chain, "PerpMarket", perp_market_address(0))["pnl_pool"]["scaled_balance"] == 0
    assert chain.sandbox.world.venue.accounts[str(chain.trader.user)].deposit_e6 == 1_001 * USD


def test_no_more_sub_accounts_than_the_exchange_takes(start: Start) -> None:
    chain = start(max_sub_accounts=1)
    second = instructions.initialize_user(chain.keypair.pubkey(), 1, "second")
    assert chain.submit(chain.sign(second))["error"]["data"]["err"] == {"InstructionError": [1, {"Custom": 6224}]}


def test_a_delegate_trades_but_cannot_withdraw(start: Start) -> None:
    chain = start()
    delegate = Keypair.from_seed(bytes(range(1, 33)))
    chain.sandbox.fund(delegate.pubkey(), 10**9, 0)
    chain.send(instructions.update_user_delegate(chain.trader.authority, 0, delegate.pubkey()))
    hot = Trader(chain.trader.authority, 0, delegate.pubkey())
    placed = instructions.place_orders(hot, [order("buy", "149")], chain.markets(), QUOTE_ORACLE)
    assert "result" in chain.submit(chain.sign(placed, signer=delegate))
    assert chain.open_order_ids() == [1]
    target = token_account_address(delegate.pubkey(), QUOTE_MINT)
    taken = instructions.withdraw(hot, 1 * USD, target, chain.markets(), QUOTE_ORACLE)
    refused = chain.submit(chain.sign(taken, signer=delegate))["error"]["data"]["err"]
    assert refused == {"InstructionError": [1, {"Custom": 2003}]}


def test_a_slot_that_has_not_come_is_refused(start: Start) -> None:
    chain = start()
    options = {"commitment": "confirmed", "minContextSlot": chain.sandbox.slot() + 1}
    assert chain.ask("getAccountInfo", str(chain.trader.user), options)["error"]["code"] == -32016


def test_every_field_of_a_market_change_reaches_the_market() -> None:
    fields = set(MarketChange.__struct_fields__)
    known = {*MarketSpec.__struct_fields__, *MarketRules.__struct_fields__, *Market.__struct_fields__}
    assert fields <= known
    market = Market(rules=MarketRules(spec=SPEC))
    values = dict.fromkeys(fields - {"status", "is_frozen"}, 7)
    after = changed(market, msgspec.convert(values, MarketChange))
    for name in values:
        assert 7 in (getattr(part, name, None) for part in (after, after.rules, after.spec)), name
