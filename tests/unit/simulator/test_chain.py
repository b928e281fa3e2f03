"""The simulated chain: late and lost transactions, forks, and what is final."""

from __future__ import annotations

import pytest

from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.records import PlacedRecord, PlaceOrder, Roll
from gridkeeper_core.venue.state import FillRules
from gridkeeper_lab.simulator.chain import FINAL_SLOTS, LIFE_SLOTS, Chain, Sent
from gridkeeper_lab.simulator.world import MARKET, SPEC, START_NS


@pytest.fixture
def chain() -> Chain:
    made = Chain(SPEC, FillRules(model="queue"), lambda _: None)
    made.advance(START_NS)
    made.open_account(10_000 * E6)
    made.row(row(1, 105, START_NS))
    return made


def test_a_transaction_that_was_sent_lands_once_however_often_it_is_sent(chain: Chain) -> None:
    sent = order_at(chain, 104)
    chain.send(sent)
    chain.send(sent)
    chain.land(0)
    chain.send(sent)

    assert chain.landable() == []
    assert [tx.signature for tx in chain.landed] == [sent.signature]


def test_a_transaction_is_gone_only_when_its_last_height_is_final(chain: Chain) -> None:
    sent = order_at(chain, 104)
    chain.send(sent)
    chain.advance(START_NS + LIFE_SLOTS * 2 * NS_PER_S // 5)
    assert not chain.is_gone(sent.signature, sent.last_valid)

    chain.advance(START_NS + (LIFE_SLOTS + FINAL_SLOTS + 2) * 2 * NS_PER_S // 5)
    assert chain.landable() == []
    assert chain.is_gone(sent.signature, sent.last_valid)


def test_a_fork_takes_back_a_fill_and_its_order_may_fill_again_under_the_same_record_id(chain: Chain) -> None:
    chain.send(order_at(chain, 104))
    chain.land(0)
    chain.row(row(2, 103, START_NS + NS_PER_S))
    assert [p.base_e9 for p in chain.read().positions] == [E9]

    chain.fork(1, relands=False)
    assert chain.read().positions == ()
    assert len(chain.read().orders) == 1
    chain.row(row(3, 103, START_NS + 2 * NS_PER_S))
    assert [p.base_e9 for p in chain.read().positions] == [E9]


def test_a_fork_that_lands_our_transactions_again_gives_them_a_later_slot(chain: Chain) -> None:
    chain.send(order_at(chain, 104))
    chain.land(0)
    before = chain.landed[0].slot

    chain.fork(1, relands=True)
    assert chain.read().orders == ()
    chain.land(0)
    assert len(chain.read().orders) == 1
    assert chain.landed[0].slot > before


def test_what_is_final_no_fork_takes_back(chain: Chain) -> None:
    chain.send(order_at(chain, 104))
    chain.land(0)
    chain.advance(START_NS + (FINAL_SLOTS + 5) * 2 * NS_PER_S // 5)

    chain.fork(3, relands=False)

    assert len(chain.landed) == 1
    assert chain.forks == 0


def test_a_cut_log_hides_what_the_chain_did_all_the_same(chain: Chain) -> None:
    chain.cuts = 1
    chain.send(order_at(chain, 104))
    chain.land(0)

    assert chain.landed[0].logs_truncated
    assert chain.landed[0].records == ()
    assert [type(record) for record in chain.records_of(chain.landed[0])] == [PlacedRecord]


def row(seq: int, price: int, ts_ns: int) -> Price:
    return Price(market=MARKET, source="t", source_seq=seq, ts_ns=ts_ns, oracle_e6=price * E6, size_e9=5 * E9)


def order_at(chain: Chain, price: int) -> Sent:
    place = PlaceOrder(user_order_id=1, market_index=0, side="buy", price_e6=price * E6, size_e9=E9, post_only="must")
    signed = chain.sign(Roll(alias="main", purpose="roll", cancel_order_ids=(), places=(place,)))
    assert signed is not None
    return Sent(signed.signature, signed.bytes_base64, signed.last_valid_block_height)
