"""What lands on the sandbox's chain, what is refused, what it costs, and what a restart keeps."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.venue.records import FillRecord, VenueRecord
from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.codecs.events import decode_logs, venue_records
from gridkeeper_drift.codecs.instructions import Trader
from gridkeeper_sandbox.sandbox import Sandbox
from support.chain_client import START_NS, ChainClient
from support.venue import order, roll, row, venue

Start = Callable[..., ChainClient]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a chain with settings of the test's own."""
    started = []

    def begin(**settings: object) -> ChainClient:
        client = ChainClient(tmp_path / "chain", **settings)
        started.append(client)
        client.open()
        return client

    yield begin
    for client in started:
        client.sandbox.close()


@pytest.fixture
def chain(start: Start) -> ChainClient:
    return start()


def records_of(chain: ChainClient, signature: str) -> tuple[VenueRecord, ...]:
    found = chain.result("getTransaction", signature, {"encoding": "base64", "commitment": "confirmed"})
    return venue_records(decode_logs(found["meta"]["logMessages"]).events, chain.trader.user)


def signatures(chain: ChainClient, **options: object) -> list[str]:
    options = {"commitment": "confirmed"} | options
    return [item["signature"] for item in chain.result("getSignaturesForAddress", str(chain.trader.user), options)]


def test_orders_placed_by_a_transaction_rest_in_the_account(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149", user_order_id=7), order("sell", "151")))
    buy, sell = [placed for placed in chain.user().orders if placed.is_open]
    assert (buy.order_id, buy.user_order_id, buy.price, buy.direction, buy.post_only) == (1, 7, 149_000_000, 0, 1)
    assert (sell.order_id, sell.direction) == (2, 1)
    position = chain.user().perp_positions[0]
    assert (position.open_bids, position.open_asks, position.open_orders) == (10**8, -(10**8), 2)


def test_cancels_and_places_of_one_transaction_are_one_roll(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149"), order("buy", "148")))
    chain.send(chain.cancel(1), chain.place(order("buy", "147")))
    assert chain.open_order_ids() == [3, 2]


def test_a_failing_instruction_undoes_the_ones_before_it_and_costs_the_fee(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149")))
    before = chain.sandbox.world.lamports[chain.keypair.pubkey()]
    transaction = chain.sign(chain.cancel(1), chain.place(order("buy", "151")))
    answer = chain.submit(transaction, preflight=False)
    assert chain.status(answer["result"])["err"] == {"InstructionError": [2, {"Custom": 6057}]}
    assert chain.open_order_ids() == [1]
    assert chain.sandbox.world.lamports[chain.keypair.pubkey()] == before - 5000


def test_preflight_keeps_a_failing_transaction_off_the_chain(chain: ChainClient) -> None:
    before = chain.sandbox.world.mark()
    answer = chain.submit(chain.sign(chain.place(order("buy", "151"))))
    assert answer["error"]["code"] == -32002
    assert answer["error"]["data"]["err"] == {"InstructionError": [1, {"Custom": 6057}]}
    assert any("PlacePostOnlyLimitFailure" in line for line in answer["error"]["data"]["logs"])
    assert chain.sandbox.world.mark() == before


def test_the_same_bytes_sent_twice_land_once(chain: ChainClient) -> None:
    transaction = chain.sign(chain.place(order("buy", "149")))
    first = chain.submit(transaction, preflight=False)
    assert chain.submit(transaction, preflight=False) == first
    assert chain.submit(transaction)["error"]["data"]["err"] == "AlreadyProcessed"
    assert chain.open_order_ids() == [1]


def test_the_same_order_can_be_placed_twice_while_the_tape_stands_still(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149")))
    chain.send(chain.place(order("buy", "149")))
    assert chain.open_order_ids() == [1, 2]


def test_a_blockhash_lives_150_slots(chain: ChainClient) -> None:
    chain.sandbox.move_clock(chain.sandbox.now_ns + 10 * 400_000_000)
    found = chain.result("getLatestBlockhash", {"commitment": "processed"})["value"]
    recent = found["blockhash"]
    early, late = (chain.sign(chain.place(order("buy", price)), blockhash=recent) for price in ("149", "148"))
    chain.sandbox.move_clock(chain.sandbox.now_ns + 150 * 400_000_000)
    assert chain.result("getBlockHeight", {"commitment": "processed"}) == found["lastValidBlockHeight"]
    assert "result" in chain.submit(early)
    chain.sandbox.move_clock(chain.sandbox.now_ns + 400_000_000)
    assert chain.submit(late)["error"]["data"]["err"] == "BlockhashNotFound"
    signature = chain.submit(late, preflight=False)["result"]
    assert chain.status(signature) is None
    assert chain.open_order_ids() == [1]


def test_a_made_up_blockhash_is_refused(chain: ChainClient) -> None:
    transaction = chain.sign(chain.cancel(1), blockhash=str(Pubkey.new_unique()))
    assert chain.submit(transaction)["error"]["data"]["err"] == "BlockhashNotFound"


def test_a_bad_signature_is_refused(chain: ChainClient) -> None:
    data = bytearray(bytes(chain.sign(chain.place(order("buy", "149")))))
    data[10] ^= 1
    text = base64.b64encode(bytes(data)).decode()
    answer = chain.ask("sendTransaction", text, {"encoding": "base64", "skipPreflight": True})
    assert answer["error"]["code"] == -32003
    assert chain.open_order_ids() == []


def test_a_stranger_may_not_trade_until_he_is_the_delegate(chain: ChainClient) -> None:
    stranger = Keypair()
    chain.sandbox.fund(stranger.pubkey(), 10**9, 0)
    own, chain.trader = chain.trader, Trader(chain.trader.authority, 0, stranger.pubkey())
    answer = chain.submit(chain.sign(chain.place(order("buy", "149")), signer=stranger))
    assert answer["error"]["data"]["err"] == {"InstructionError": [1, {"Custom": 2003}]}
    chain.send(instructions.update_user_delegate(own.authority, 0, stranger.pubkey()))
    assert "result" in chain.submit(chain.sign(chain.place(order("buy", "149")), signer=stranger))
    assert chain.open_order_ids() == [1]


def test_a_wallet_without_sol_cannot_pay(chain: ChainClient) -> None:
    poor = Keypair()
    chain.trader = Trader(chain.trader.authority, 0, poor.pubkey())
    answer = chain.submit(chain.sign(chain.place(order("buy", "149")), signer=poor))
    assert answer["error"]["data"]["err"] == "AccountNotFound"


def test_rent_and_fees_of_setting_up_are_paid_in_sol(chain: ChainClient) -> None:
    assert (
        chain.result("getBalance", str(chain.keypair.pubkey()), {"commitment": "processed"})["value"]
        == 10**10 - 31_347_840 - 2_561_280 - 5000
    )


def test_a_row_that_reaches_an_order_lands_as_a_keeper_s_transaction_that_names_the_account(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149")))
    assert chain.price(148.5).records == 1
    newest = signatures(chain)[0]
    (record,) = records_of(chain, newest)
    assert isinstance(record, FillRecord)
    assert (record.order_id, record.base_e9, record.quote_e6, record.fee_e6) == (1, 10**8, 14_900_000, -2_980)
    assert chain.user().perp_positions[0].base_asset_amount == 10**8
    assert chain.user().perp_positions[0].quote_entry_amount == -14_900_000


def test_the_records_on_the_chain_are_the_model_s_own(chain: ChainClient) -> None:
    model = venue(deposit_e6=1_000 * 10**6)
    steps = [
        roll(order("buy", "149"), order("buy", "148", post_only="try"), order("sell", "151", user_order_id=3)),
        roll(order("buy", "147"), order("sell", "152", reduce_only=True), cancels=(1,)),
        roll(cancels=(2, 99)),
    ]
    for seq, step in enumerate(steps, start=1):
        expected = model.execute("main", step)
        parts = [chain.cancel(*step.cancel_order_ids)] if step.cancel_order_ids else []
        parts += [chain.place(*step.places)] if step.places else []
        assert records_of(chain, chain.send(*parts)) == expected
        for price in (150 - 2.5 * seq, 150 + 2.5 * seq, 150.0):
            batches = model.apply_row(row(price, 10 * seq))
            chain.price(price)
            assert [records_of(chain, name) for name in reversed(signatures(chain, limit=len(batches) or 1))] == [
                batch.records for batch in batches
            ] or not batches


def test_a_market_order_is_filled_by_a_keeper_at_once(chain: ChainClient) -> None:
    chain.send(chain.place(order("sell", "149", post_only="none", order_type="market")))
    assert chain.open_order_ids() == []
    (record,) = records_of(chain, signatures(chain)[0])
    assert isinstance(record, FillRecord)
    assert (record.maker, record.quote_e6, record.fee_e6) == (False, 15_000_000, 15_000)


def test_funding_and_settlement_reach_the_account_and_its_records(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149", 10**9)))
    chain.price(148)
    chain.sandbox.pay_funding("SOL-PERP", -5_000_000)
    (funding,) = records_of(chain, signatures(chain)[0])
    assert funding.quote_e6 == 5_000  # type: ignore[union-attr]
    chain.price(160)
    settled = chain.send(instructions.settle_pnl(chain.trader, 0, chain.markets(), Pubkey.default()))
    (record,) = records_of(chain, settled)
    assert record.quote_e6 == 29_800 + 5_000  # type: ignore[union-attr]


def test_lapsed_orders_are_removed_by_a_keeper_when_their_time_is_over(chain: ChainClient) -> None:
    max_ts = chain.sandbox.now_ns // 10**9 + 10
    chain.send(chain.place(order("buy", "149", max_ts=max_ts)))
    deadline_ns = chain.sandbox.quiet().next_wake_ns
    assert deadline_ns == (max_ts + 16) * 10**9
    chain.sandbox.move_clock(deadline_ns)
    assert chain.open_order_ids() == []
    assert chain.sandbox.quiet().next_wake_ns is None


def test_a_transaction_is_confirmed_and_then_finalized_as_slots_pass(start: Start) -> None:
    chain = start(confirmed_slots=2)
    signature = chain.send(chain.place(order("buy", "149")))
    seen = []
    for _ in range(40):
        seen.append(chain.status(signature)["confirmationStatus"])
        chain.sandbox.move_clock(chain.sandbox.now_ns + 400_000_000)
    assert list(dict.fromkeys(seen)) == ["processed", "confirmed", "finalized"]
    assert signature in signatures(chain, commitment="finalized")


def test_in_lockstep_everything_is_final_at_once_and_time_stands(start: Start) -> None:
    chain = start(lockstep=True)
    slot = chain.sandbox.slot()
    signature = chain.send(chain.place(order("buy", "149")))
    assert chain.status(signature)["confirmationStatus"] == "finalized"
    assert chain.sandbox.slot("finalized") == slot


def test_signatures_are_listed_newest_first_between_two_of_them(chain: ChainClient) -> None:
    sent = [chain.send(chain.place(order("buy", "149"))) for _ in range(4)]
    assert signatures(chain)[:4] == sent[::-1]
    assert signatures(chain, until=sent[0], before=sent[3]) == [sent[2], sent[1]]
    assert signatures(chain, limit=2) == sent[:1:-1]


def test_rows_taken_before_are_passed_over(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149")))
    again = row(140, 1, at_s=1)
    taken = chain.sandbox.take_rows("SOL-PERP", START_NS, (again,))
    assert (taken.last_seq, taken.records) == (1, 0)
    assert chain.open_order_ids() == [1]


def test_a_feed_that_counts_anew_is_taken_by_its_time(chain: ChainClient) -> None:
    chain.price(150.1)
    chain.send(chain.place(order("buy", "149")))
    taken = chain.sandbox.take_rows("SOL-PERP", START_NS, (row(140, 1, at_s=50),))
    assert (taken.last_seq, taken.records) == (1, 1)


def test_a_killed_sandbox_is_the_same_after_its_restart(chain: ChainClient) -> None:
    chain.send(chain.place(order("buy", "149", user_order_id=1), order("sell", "151")))
    chain.price(150.5)
    chain.price(148)
    chain.send(chain.cancel(2))
    chain.price(149.5)
    before, landed = chain.sandbox.world.mark(), chain.sandbox.chain.landed
    chain.restart()
    assert chain.sandbox.world.mark() == before
    assert chain.sandbox.chain.landed == landed


def test_a_line_that_was_cut_short_is_dropped_at_the_restart(chain: ChainClient, tmp_path: Path) -> None:
    chain.send(chain.place(order("buy", "149")))
    before = chain.sandbox.world.mark()
    with (tmp_path / "chain" / "journal.jsonl").open("ab") as file:
        file.write(b'{"now_ns":17')
    chain.restart()
    assert chain.sandbox.world.mark() == before
    chain.send(chain.place(order("buy", "148")))
    chain.restart()
    assert chain.open_order_ids() == [1, 2]


def test_a_chain_is_not_continued_under_other_rules(chain: ChainClient) -> None:
    chain.sandbox.close()
    other = msgspec.structs.replace(chain.settings, spread_bps=10)
    with pytest.raises(GridkeeperError) as caught:
        Sandbox(other, lambda: START_NS)
    assert caught.value.code == "BAD_VALUE"
    chain.restart()


def test_a_state_folder_is_held_by_one_process_only(chain: ChainClient) -> None:
    with pytest.raises(GridkeeperError) as caught:
        Sandbox(chain.settings, lambda: START_NS)
    assert caught.value.code == "DATA_DIR_LOCKED"


def test_a_roll_of_16_and_16_keeps_all_its_records(chain: ChainClient) -> None:
    chain.send(chain.place(*(order("buy", f"{149 - number}", 10**7) for number in range(16))))
    signature = chain.send(
        chain.cancel(*range(1, 17)), chain.place(*(order("buy", f"{149 - number}", 10**7) for number in range(16)))
    )
    assert len(records_of(chain, signature)) == 32


def test_logs_beyond_the_runtime_s_limit_are_cut(chain: ChainClient) -> None:
    orders = [order("buy", f"{149 - number}", 10**7) for number in range(22)]
    chain.send(chain.place(*orders))
    signature = chain.send(chain.cancel(*range(1, 23)), chain.place(*orders[:20]))
    found = chain.result("getTransaction", signature, {"encoding": "base64", "commitment": "confirmed"})
    assert found["meta"]["logMessages"][-1] == "Log truncated"
    assert len(chain.open_order_ids()) == 20
