"""What a signing agent signs and what it refuses, instruction by instruction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from solders.compute_budget import request_heap_frame, set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from gridkeeper_core.venue.records import WHOLE_POSITION_E9
from gridkeeper_drift.agent_policy import AgentPolicy, Band, RefusedError, check
from gridkeeper_drift.codecs import addresses, instructions
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from support.venue import SOL, USD, order

OWNER, BOT, STRANGER = (Keypair.from_seed(bytes([number] * 32)).pubkey() for number in (1, 2, 3))
ORACLE, QUOTE_ORACLE = (Pubkey.from_bytes(bytes([number] * 32)) for number in (4, 5))
MARKETS = (MarketAccounts(0, ORACLE), MarketAccounts(1, ORACLE))
TRADER = Trader(OWNER, 0, BOT)
POLICY = AgentPolicy(OWNER, 0, {0: Band(2 * SOL, 100 * USD, 200 * USD)})


def message(*parts: Instruction, payer: Pubkey = BOT) -> bytes:
    return bytes(to_bytes_versioned(MessageV0.try_compile(payer, list(parts), [], Hash.default())))


def placing(*orders: Any, trader: Trader = TRADER) -> Instruction:
    return instructions.place_orders(trader, orders, MARKETS, QUOTE_ORACLE)


def cancelling(ids: Sequence[int] = (7,), trader: Trader = TRADER) -> Instruction:
    return instructions.cancel_orders_by_ids(trader, ids, MARKETS, QUOTE_ORACLE)


TAKE_PROFIT = order("sell", "180", WHOLE_POSITION_E9, reduce_only=True, post_only="none")
STOP = order(
    "sell",
    "0",
    WHOLE_POSITION_E9,
    reduce_only=True,
    post_only="none",
    order_type="trigger_market",
    trigger_e6=120 * USD,
)


@pytest.mark.parametrize(
    "parts",
    [
        [cancelling(), placing(order("buy", "150"), order("sell", "200", 2 * SOL))],
        [placing(TAKE_PROFIT), placing(STOP)],
        [instructions.cancel_orders(TRADER, MARKETS, QUOTE_ORACLE)],
        [instructions.settle_pnl(TRADER, 0, MARKETS, QUOTE_ORACLE)],
        [instructions.place_and_take(TRADER, order("sell", "150", post_only="none"), MARKETS, QUOTE_ORACLE)],
        [set_compute_unit_limit(400_000), set_compute_unit_price(1_000), cancelling()],
    ],
    ids=["a roll", "take-profit and stop", "cancel all", "settle", "at once", "with a priority fee"],
)
def test_what_trading_needs_is_signed(parts: list[Instruction]) -> None:
    check(message(*parts), BOT, POLICY)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([placing(order("buy", "150", 3 * SOL))], "size 3000000000 is above"),
        ([placing(order("buy", "150", WHOLE_POSITION_E9))], "is above"),
        ([placing(order("buy", "99.9"))], "a price is not between"),
        ([placing(order("sell", "150"), order("sell", "200.1"))], "a price is not between"),
        ([placing(order("buy", "0", post_only="none", order_type="market"))], "may only reduce"),
        ([placing(order("buy", "150", market_index=1))], "market 1"),
        ([placing(order("buy", "150"), trader=Trader(OWNER, 1, BOT))], "another account"),
        ([cancelling(trader=Trader(STRANGER, 0, BOT))], "another account"),
        ([instructions.update_user_delegate(BOT, 0, STRANGER)], "update_user_delegate is not allowed"),
        ([instructions.withdraw(Trader(BOT, 0, BOT), 1, ORACLE, MARKETS, QUOTE_ORACLE)], "withdraw is not allowed"),
        ([instructions.deposit(TRADER, 1, ORACLE, MARKETS, QUOTE_ORACLE)], "deposit is not allowed"),
        ([transfer(TransferParams(from_pubkey=BOT, to_pubkey=STRANGER, lamports=1))], "is not Drift's"),
        ([set_compute_unit_limit(1_000_000), set_compute_unit_price(2_000_000), cancelling()], "priority fee"),
        ([set_compute_unit_price(2_000_000), cancelling()], "priority fee"),
        ([request_heap_frame(262_144), cancelling()], "compute budget"),
        ([Instruction(addresses.PROGRAM_ID, b"\1" * 8, [])], "an unknown instruction"),
        ([Instruction(addresses.PROGRAM_ID, placing(order("buy", "150")).data[:20], [])], "cannot be read"),
        ([Instruction(addresses.PROGRAM_ID, placing(order("buy", "150")).data, [])], "lacks accounts"),
    ],
)
def test_everything_else_is_refused_with_a_reason(parts: list[Instruction], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        check(message(*parts), BOT, POLICY)


def test_what_another_key_pays_for_or_signs_too_is_refused() -> None:
    with pytest.raises(RefusedError, match="alone signs"):
        check(message(cancelling(), payer=STRANGER), BOT, POLICY)
    co_signer = AccountMeta(STRANGER, is_signer=True, is_writable=True)
    second = Instruction(addresses.PROGRAM_ID, cancelling().data, [*cancelling().accounts, co_signer])
    with pytest.raises(RefusedError, match="alone signs"):
        check(message(second), BOT, POLICY)


def test_bytes_that_are_no_transaction_are_refused() -> None:
    with pytest.raises(RefusedError, match="no transaction"):
        check(b"\xff\xff\xff", BOT, POLICY)
