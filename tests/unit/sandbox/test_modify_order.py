"""The two instructions that modify an order, as bytes on the sandbox's chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction

from gridkeeper_core.venue.records import CancelRecord, PlacedRecord
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.events import decode_logs, venue_records
from gridkeeper_drift.codecs.idl import instructions
from support.chain_client import ChainClient
from support.venue import order, row

NOTHING = dict.fromkeys(
    [
        "direction",
        "base_asset_amount",
        "price",
        "reduce_only",
        "post_only",
        "bit_flags",
        "max_ts",
        "trigger_price",
        "trigger_condition",
        "oracle_price_offset",
        "auction_duration",
        "auction_start_price",
        "auction_end_price",
        "policy",
    ]
)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[ChainClient]:
    client = ChainClient(tmp_path / "chain", fill_model="queue")
    client.open()
    yield client
    client.sandbox.close()


def modify(chain: ChainClient, order_id: int | None, **params: Any) -> Instruction:
    return encoded(chain, "modify_order", order_id=order_id, modify_order_params=NOTHING | params)


def modify_by_user_id(chain: ChainClient, user_order_id: int, **params: Any) -> Instruction:
    return encoded(chain, "modify_order_by_user_id", user_order_id=user_order_id, modify_order_params=NOTHING | params)


def encoded(chain: ChainClient, name: str, **arguments: Any) -> Instruction:
    accounts = [
        AccountMeta(addresses.state_address(), is_signer=False, is_writable=False),
        AccountMeta(chain.trader.user, is_signer=False, is_writable=True),
        AccountMeta(chain.trader.signer, is_signer=True, is_writable=False),
    ]
    return Instruction(addresses.PROGRAM_ID, instructions().encode(name, arguments), accounts)


def prices(chain: ChainClient) -> dict[int, int]:
    return {held.order_id: held.price for held in chain.user().orders if held.is_open}


def sizes(chain: ChainClient) -> dict[int, int]:
    return {held.order_id: held.base_asset_amount for held in chain.user().orders if held.is_open}


def error_of(answer: Any) -> Any:
    return answer["error"]["data"]["err"]


def test_a_modified_order_is_told_as_its_cancel_and_the_new_order(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149", user_order_id=7)))
    signature = chain.send(modify(chain, 1, price=148_000_000, direction="Long", policy=1))
    found = chain.result("getTransaction", signature, {"encoding": "base64", "commitment": "confirmed"})
    cancelled, placed = venue_records(decode_logs(found["meta"]["logMessages"]).events, chain.trader.user)
    assert isinstance(cancelled, CancelRecord)
    assert isinstance(placed, PlacedRecord)
    assert (cancelled.index, cancelled.order_id) == (0, 1)
    assert (placed.index, placed.order_id, placed.user_order_id) == (2, 2, 7)
    assert prices(chain) == {2: 148_000_000}


def test_without_an_id_the_newest_order_is_meant(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149"), order("buy", "148")))
    chain.send(modify(chain, None, price=147_000_000))
    assert prices(chain) == {1: 149_000_000, 3: 147_000_000}


def test_by_user_order_id_only_the_open_order_is_meant(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149", user_order_id=7), order("buy", "148", user_order_id=8)))
    chain.send(chain.cancel(1))
    assert error_of(chain.submit(chain.sign(modify_by_user_id(chain, 7, price=147_000_000, policy=1)))) == {
        "InstructionError": [1, {"Custom": 6061}]
    }
    chain.send(modify_by_user_id(chain, 7, price=147_000_000))
    chain.send(modify_by_user_id(chain, 8, price=146_000_000, policy=1))
    assert prices(chain) == {3: 146_000_000}


@pytest.mark.parametrize("policy", [1, 3])
def test_an_order_that_must_be_modified_and_is_gone_undoes_the_transaction(chain: ChainClient, policy: int) -> None:
    chain.send(chain.place(order("buy", "149")))
    answer = chain.submit(chain.sign(chain.cancel(1), modify(chain, 1, price=148_000_000, policy=policy)))
    assert error_of(answer) == {"InstructionError": [2, {"Custom": 6061}]}
    assert any("OrderDoesNotExist" in line for line in answer["error"]["data"]["logs"])
    assert prices(chain) == {1: 149_000_000}


@pytest.mark.parametrize("policy", [None, 0, 2])
def test_an_order_that_is_gone_is_else_passed_over(chain: ChainClient, policy: int | None) -> None:
    chain.send(chain.place(order("buy", "149")))
    chain.send(chain.cancel(1), modify(chain, 1, price=148_000_000, policy=policy))
    assert prices(chain) == {}


def test_the_policy_s_second_bit_counts_what_the_order_has_filled(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149", 4 * 10**8), order("buy", "149", 4 * 10**8)))
    part = row(149, 2, at_s=60, size_e9=5 * 10**8)
    chain.sandbox.take_rows("SOL-PERP", part.ts_ns, (part,))
    chain.price(150)
    (left,) = [held for held in chain.user().orders if held.is_open]
    assert (left.order_id, left.base_asset_amount_filled) == (2, 10**8)
    chain.send(modify(chain, 2, base_asset_amount=3 * 10**8, policy=2))
    assert sizes(chain) == {3: 2 * 10**8}
    chain.send(modify(chain, 3, base_asset_amount=3 * 10**8, policy=2))
    assert sizes(chain) == {4: 3 * 10**8}


def test_a_crossing_price_is_refused_6057_and_leaves_the_old_order(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149")))
    assert error_of(chain.submit(chain.sign(modify(chain, 1, price=151_000_000)))) == {
        "InstructionError": [1, {"Custom": 6057}]
    }
    chain.submit(chain.sign(modify(chain, 1, price=151_000_000)), preflight=False)
    assert prices(chain) == {1: 149_000_000}


def test_bit_flags_are_cleared_and_post_only_can_be_given_up(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149")))
    chain.send(modify(chain, 1, post_only="None", bit_flags=1))
    (held,) = [held for held in chain.user().orders if held.is_open]
    assert (held.order_id, held.post_only) == (2, 0)


def test_oracle_pegged_and_sliding_orders_are_not_known(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149")))
    pegged = chain.submit(chain.sign(modify(chain, 1, oracle_price_offset=-5)))
    sliding = chain.submit(chain.sign(modify(chain, 1, post_only="Slide")))
    assert error_of(pegged) == {"InstructionError": [1, {"Custom": 101}]}
    assert error_of(sliding) == {"InstructionError": [1, {"Custom": 6051}]}
