"""Execution against a model of the venue that delays, drops, repeats and interleaves whatever it says.

Whatever happens: one live order per intent, no user order id used twice, no fill lost or taken twice, and a machine
that was restored from the record is the machine that wrote it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gridkeeper_core import events as e
from gridkeeper_core.inputs import (
    AccountBooted,
    AccountRead,
    Command,
    EventSeen,
    HaltAccount,
    Input,
    MarketRead,
    PriceTick,
    ResumeAccount,
    TransactionGone,
    TransactionSeen,
)
from gridkeeper_core.machine import Draft
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue import records as r
from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.state import FillRules, MarketRules
from support.story import MARKET, SPEC, START_NS, config

CELLS = st.integers(0, 9)
SIDES = st.sampled_from(("buy", "sell"))
USER_ORDER_ID_IN_USE = 6071


class ExecutionAndVenue(RuleBasedStateMachine):
    """`pending` are transactions on their way, `chain` what has landed, of which `told` were shown to the machine."""

    @initialize()
    def begin(self) -> None:
        self.now_ns = START_NS
        self.venue = VenueModel([MarketRules(spec=SPEC)], FillRules(model="queue"))
        self.venue.advance(START_NS)
        self.venue.open_account("main")
        self.venue.deposit("main", 10_000 * E6)
        self.rolls: dict[str, r.Roll] = {}
        self.pending: list[str] = []
        self.lost: list[str] = []
        self.chain: list[r.SeenTransaction] = []
        self.told = 0
        self.record: list[Draft] = []
        self.seq = 0
        self.signatures = 0
        self.machine = ExecutionMachine(self._sign)
        self.take(AccountBooted(now_ns=self.now_ns, alias="main"))
        self.take(MarketRead(now_ns=self.now_ns, spec=SPEC))
        self.read()
        self.price(105)
        self._event(e.GridProposed(config=config(), source="", author="ann", reason=""))

    # ------------------------------------------------------------ what may happen

    @rule(price=st.integers(98, 112), size=st.sampled_from((10**8, 5 * 10**8, 10**10)))
    def a_price_comes(self, price: int, size: int) -> None:
        self.price(price, size)

    @rule(cell=CELLS, side=SIDES, cycle=st.integers(0, 1), unwanted=st.lists(st.tuples(CELLS, SIDES), max_size=3))
    def a_grid_wants(self, cell: int, side: Any, cycle: int, unwanted: list[tuple[int, Any]]) -> None:
        price = 100 + cell + (side == "sell")
        wanted = e.WantedOrder(
            intent_id=f"tale/{side}/{cell}/{cycle}", kind=side, cell=cell, side=side, price_e6=price * E6, size_e9=10**9
        )
        gone = tuple(e.UnwantedOrder(intent_id=f"tale/{s}/{c}/0", why="window") for c, s in dict.fromkeys(unwanted))
        known = self.account.attempts.keys() | self.account.queued.keys()
        self._event(
            e.OrdersWanted(
                account="main",
                market=MARKET,
                unwanted=gone,
                wanted=() if wanted.intent_id in known else (wanted,),
                rolled=False,
                reference_e6=self.last_price * E6,
                price_seq=self.seq,
            )
        )

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def a_transaction_lands(self, data: st.DataObject) -> None:
        self._land(data.draw(st.integers(0, len(self.pending) - 1)))

    def _land(self, index: int) -> None:
        signature = self.pending.pop(index)
        roll = self.rolls[signature]
        try:
            self._landed(signature, self.venue.execute("main", roll), ours=True)
        except VenueError as error:
            self._landed(signature, (), ours=True, error=error)
        for batch in self.venue.run_keepers():
            self._landed(self._next_signature("k"), batch.records, ours=False)

    @precondition(lambda self: self.pending)
    @rule()
    def a_transaction_is_lost(self) -> None:
        self.lost.append(self.pending.pop())

    @precondition(lambda self: self.lost)
    @rule()
    def a_loss_is_proven(self) -> None:
        signature = self.lost.pop()
        self.take(TransactionGone(now_ns=self.now_ns, alias="main", signature=signature, block_height=9))
        assert self.take(TransactionGone(now_ns=self.now_ns, alias="main", signature=signature, block_height=9)) == []

    @rule(count=st.integers(1, 5))
    def what_landed_is_told(self, count: int) -> None:
        for transaction in self.chain[self.told : self.told + count]:
            self.take(TransactionSeen(now_ns=self.now_ns, alias="main", transaction=transaction))
            self.told += 1

    @precondition(lambda self: len(self.chain) - self.told > 1)
    @rule()
    def what_landed_is_told_out_of_order(self) -> None:
        """Two transactions that say nothing of the same order, the later one first."""
        first, second = self.chain[self.told : self.told + 2]
        if not _orders_of(first) & _orders_of(second):
            self.chain[self.told : self.told + 2] = [second, first]
            self.what_landed_is_told(2)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def what_was_told_is_told_again(self, data: st.DataObject) -> None:
        old = self.chain[data.draw(st.integers(0, self.told - 1))]
        assert self.take(TransactionSeen(now_ns=self.now_ns, alias="main", transaction=old)) == []

    @rule()
    def the_account_is_read(self) -> None:
        self.read()

    @rule()
    def the_process_dies(self) -> None:
        restored = ExecutionMachine(self._sign)
        for draft in self.record:
            stored = Recorded(
                stream=draft.stream, version=1, ts_ns=draft.ts_ns, cause="", thread="", prev=GENESIS, fact=draft.fact
            )
            restored.restore(stored)
        assert restored.digests() == self.machine.digests()
        assert restored.account("main") == self.account
        self.machine = restored
        self.take(AccountBooted(now_ns=self.now_ns, alias="main"))

    @rule(is_halt=st.booleans())
    def a_person_halts_or_resumes(self, is_halt: bool) -> None:
        body = HaltAccount() if is_halt else ResumeAccount()
        self.seq += 1
        self.take(
            Command(now_ns=self.now_ns, key=f"k{self.seq}", author="ann", reason="", target="account:main", body=body)
        )

    # ------------------------------------------------------------ what must hold

    @invariant()
    def an_intent_has_one_live_order(self) -> None:
        if not hasattr(self, "venue"):
            return
        placed = {}
        for draft in self.record:
            if isinstance(draft.fact, e.OrderAccepted):
                placed[draft.fact.signature, draft.fact.user_order_id] = draft.fact.intent_id
        by_order = {
            record.order_id: placed[tx.signature, record.user_order_id]
            for tx in self.chain
            for record in tx.records
            if isinstance(record, r.PlacedRecord)
        }
        intents = [by_order[order.order_id] for order in self.venue.read("main", "main").orders]
        assert len(intents) == len(set(intents))

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "venue"):
            assert not [d for d in self.record if isinstance(d.fact, e.VenueDiffers | e.ForeignOrderSeen)]
            assert not self.account.guards
            assert not [tx for tx in self.chain if tx.error_code == USER_ORDER_ID_IN_USE]

    def teardown(self) -> None:
        """Once everything was told, record and venue agree to the unit."""
        if not hasattr(self, "venue"):
            return
        while self.pending or self.lost or self.told < len(self.chain):
            if self.pending:
                self._land(0)
            if self.lost:
                self.a_loss_is_proven()
            self.what_landed_is_told(5)
        self.read()
        truth, account = self.venue.read("main", "main"), self.account
        held = {order.order_id: order.filled_e9 for order in truth.orders}
        assert held == {a.order_id: a.filled_e9 for a in account.attempts.values() if a.order_id is not None}
        ours = account.positions.get(0)
        for position in truth.positions:
            assert ours is not None
            assert (ours.base_e9, ours.quote_asset_e6) == (position.base_e9, position.quote_asset_e6)
            assert (ours.quote_entry_e6, ours.quote_break_even_e6) == (
                position.quote_entry_e6,
                position.quote_break_even_e6,
            )
        super().teardown()

    # ------------------------------------------------------------ words

    @property
    def account(self) -> AccountState:
        return self.machine.account("main")

    def take(self, item: Input) -> list[Draft]:
        """An input that yields no draft leaves the state equal."""
        before = self.machine.account("main") if any(self.machine.accounts()) else None
        drafts = self.machine.accept(item)
        if not drafts and before is not None:
            assert self.account == before
        self.record += drafts
        return drafts

    def price(self, price: int, size: int = 10**9) -> None:
        self.seq += 1
        self.now_ns += NS_PER_S
        self.last_price = price
        row = Price(
            market=MARKET, source="t", source_seq=self.seq, ts_ns=self.now_ns, oracle_e6=price * E6, size_e9=size
        )
        for batch in self.venue.apply_row(row):
            self._landed(self._next_signature("k"), batch.records, ours=False)
        self.take(PriceTick(now_ns=self.now_ns, price=row))

    def read(self) -> None:
        """Execution reads the account only when it has walked everything that has landed."""
        self.what_landed_is_told(10**6)
        account = self.venue.read("main", "main")
        cursor_slot = self.chain[-1].slot - 40 if self.chain else 0
        self.take(AccountRead(now_ns=self.now_ns, account=account, cursor="c", cursor_slot=cursor_slot))

    def _landed(
        self, signature: str, records: tuple[r.VenueRecord, ...], *, ours: bool, error: VenueError | None = None
    ) -> None:
        self.now_ns += NS_PER_S
        self.venue.advance(self.now_ns)
        self.chain.append(
            r.SeenTransaction(
                signature=signature,
                slot=self.venue.slot,
                block_time_s=self.now_ns // NS_PER_S,
                finalized=False,
                error_code=int(error.code) if error else None,
                error=str(error) if error else "",
                fee_lamports=5_000,
                ours=ours,
                records=records,
            )
        )

    def _event(self, fact: e.Fact) -> None:
        event = Recorded(stream="grid:tale", version=1, ts_ns=self.now_ns, cause="", thread="", prev=GENESIS, fact=fact)
        self.take(EventSeen(now_ns=self.now_ns, event=event))

    def _sign(self, roll: r.Roll) -> r.Signed:
        signature = self._next_signature("s")
        self.rolls[signature] = roll
        self.pending.append(signature)
        return r.Signed(signature=signature, bytes_base64="", blockhash="", last_valid_block_height=0)

    def _next_signature(self, kind: str) -> str:
        self.signatures += 1
        return f"{kind}{self.signatures}"


def _orders_of(transaction: r.SeenTransaction) -> set[int]:
    return {order_id for record in transaction.records if (order_id := getattr(record, "order_id", 0))}


TestExecutionAndVenue = ExecutionAndVenue.TestCase
TestExecutionAndVenue.settings = settings(max_examples=30, stateful_step_count=40)
