"""Execution against a model of the venue that delays, drops, refuses, repeats and interleaves whatever it says.

Every fact is held against what is true on the model chain the moment it is decided (see `witness`). Whatever happens:
one live order per intent, no user order id used twice, no fill lost or taken twice, and a machine that was restored
from the record is the machine that wrote it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

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
from gridkeeper_core.orders.state import USER_ORDER_IDS, AccountState
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, E9
from property.orders.model_chain import ModelChain
from property.orders.witness import Witness
from support.story import MARKET, SPEC, config

LEVELS = tuple((cell, side) for cell in range(10) for side in ("buy", "sell"))
SOME = st.lists(st.sampled_from(LEVELS), max_size=4, unique=True)
MANY = st.lists(st.sampled_from(LEVELS), min_size=4, max_size=12, unique=True)
PRICES = st.integers(100, 110)
SIZES = st.sampled_from((E9 // 10, E9 // 2, 10 * E9))
FATES = st.sampled_from(("lands", "lands", "fails", "is given up", "waits"))


class ExecutionAndVenue(RuleBasedStateMachine):
    """The machine, the chain it trades on, and the witness of all it says."""

    @initialize()
    def begin(self) -> None:
        self.chain = ModelChain()
        self.witness = Witness(self.chain)
        self.record: list[Draft] = []
        self.commands = 0
        self.cycles: dict[tuple[int, str], int] = {}
        self.machine = ExecutionMachine(self.chain.sign)
        self.take(AccountBooted(now_ns=self.chain.now_ns, alias="main"))
        self.take(MarketRead(now_ns=self.chain.now_ns, spec=SPEC))
        self.the_account_is_read()
        self.a_price_comes(105, E9)
        self._event(e.GridProposed(config=config(), source="", author="ann", reason=""))
        self._begin_near_the_last_id()

    # ------------------------------------------------------------ what may happen

    @rule(price=PRICES, size_e9=SIZES)
    def a_price_comes(self, price: int, size_e9: int) -> None:
        row = self.chain.price(price, size_e9)
        self.last_price = price
        self.take(PriceTick(now_ns=self.chain.now_ns, price=row))

    @rule(wanted=SOME, unwanted=SOME)
    def a_grid_decides(self, wanted: list[tuple[int, str]], unwanted: list[tuple[int, str]]) -> None:
        """An intent is wanted while it is not live; one that was filled whole is followed by that of the next turn."""
        gone = [intent for level in unwanted if (intent := self._intent(level)) in self.witness.live]
        wants = []
        for cell, side in wanted:
            if not self.witness.left_e9(self._intent((cell, side))):
                self.cycles[cell, side] = self.cycles.get((cell, side), 0) + 1
            intent = self._intent((cell, side))
            if intent not in self.witness.live:
                wants.append(self._wanted(intent, cell, side))
                self.witness.wants(intent)
        self._event(
            e.OrdersWanted(
                account="main",
                market=MARKET,
                unwanted=tuple(e.UnwantedOrder(intent_id=intent, why="window") for intent in gone),
                wanted=tuple(wants),
                rolled=False,
                reference_e6=self.last_price * E6,
                price_seq=self.chain.seq,
            )
        )

    @rule(fate=FATES)
    def what_is_on_its_way(self, fate: str) -> None:
        for signature in list(self.chain.flying):
            if fate == "is given up":
                self.chain.give_up(signature)
                self._gone(signature)
                assert self._gone(signature) == []
            elif fate != "waits":
                self.chain.land(signature, fails=fate == "fails")

    @rule(count=st.integers(1, 5), swapped=st.booleans(), again=st.integers(0, 3))
    def what_landed_is_told(self, count: int, swapped: bool, again: int) -> None:
        """Some of it; maybe two that have nothing to do with each other in the other order, some of it again."""
        if swapped:
            self.chain.swap_next()
        for transaction in self.chain.landed[self.chain.told : self.chain.told + count]:
            self.chain.told += 1
            self.take(TransactionSeen(now_ns=self.chain.now_ns, alias="main", transaction=transaction))
        for old in self.chain.landed[max(0, self.chain.told - again) : self.chain.told]:
            told = self.take(TransactionSeen(now_ns=self.chain.now_ns, alias="main", transaction=old))
            assert told == [] or self.witness.landed_after_all

    @rule()
    def the_account_is_read(self) -> None:
        """Execution reads the account only when it has walked everything that has landed."""
        self.what_landed_is_told(10**6, swapped=False, again=0)
        account = self.chain.account()
        cursor_slot = self.chain.landed[-1].slot - 40 if self.chain.landed else 0
        self.take(AccountRead(now_ns=self.chain.now_ns, account=account, cursor="c", cursor_slot=cursor_slot))
        if not self.account.flights:
            known = {a.order_id for a in self.account.attempts.values()} | self.account.orphans.keys()
            assert {order.order_id for order in account.orders} <= known | self.account.foreign.keys()

    @rule(price=PRICES, size_e9=SIZES, wanted=MANY, unwanted=SOME, fate=FATES, count=st.integers(1, 9))
    def a_round_of_trading(
        self,
        price: int,
        size_e9: int,
        wanted: list[tuple[int, str]],
        unwanted: list[tuple[int, str]],
        fate: str,
        count: int,
    ) -> None:
        self.a_price_comes(price, size_e9)
        self.what_landed_is_told(count, swapped=False, again=1)
        self.a_grid_decides(wanted, unwanted)
        self.what_is_on_its_way(fate)
        self.a_price_comes(price, size_e9)
        self.what_landed_is_told(count, swapped=True, again=3)

    @rule(what=st.sampled_from(("it dies", "it dies", "halt", "resume", "resume")))
    def something_else_happens(self, what: str) -> None:
        if what == "it dies":
            self._dies()
            return
        self.commands += 1
        key, now_ns = f"k{self.commands}", self.chain.now_ns
        body = HaltAccount() if what == "halt" else ResumeAccount()
        self.take(Command(now_ns=now_ns, key=key, author="ann", reason="", target="account:main", body=body))

    # ------------------------------------------------------------ what must hold

    @invariant()
    def an_intent_has_one_live_order(self) -> None:
        if hasattr(self, "witness"):
            self.witness.one_order_each()

    def teardown(self) -> None:
        """Once everything was told, record and venue agree to the unit."""
        if not hasattr(self, "witness"):
            return
        self._comes_to_rest()
        self._check_books()
        self._what_was_given_up_lands_after_all()
        self._comes_to_rest()
        self._check_books()
        super().teardown()

    def _comes_to_rest(self) -> None:
        """All lands, all is told and read, and what that leads to as well."""
        for _ in range(20):
            self.what_is_on_its_way("lands")
            self.the_account_is_read()
            if not self.chain.flying:
                return
        raise AssertionError(f"{self.chain.flying} and no end of it")

    def _what_was_given_up_lands_after_all(self) -> None:
        """An endpoint told a lie: nobody can prevent the orders, but they are seen, and never taken for others."""
        self.a_price_comes(105, E9 // 10)
        self.a_grid_decides([(0, "buy"), (1, "buy"), (8, "sell"), (9, "sell")], [])
        given_up = list(self.chain.flying)
        self.what_is_on_its_way("is given up")
        self.witness.landed_after_all = True
        for signature in given_up:
            self.chain.land(signature)

    def _check_books(self) -> None:
        truth, account = self.chain.account(), self.account
        known = {a.order_id: a.filled_e9 for a in account.attempts.values() if a.order_id is not None}
        beside = account.foreign.keys() | account.orphans.keys()
        assert known == {o.order_id: o.filled_e9 for o in truth.orders if o.order_id not in beside}
        ours = account.positions.get(0)
        for position in truth.positions:
            assert ours is not None
            assert (ours.base_e9, ours.quote_asset_e6) == (position.base_e9, position.quote_asset_e6)
            assert ours.quote_entry_e6 == position.quote_entry_e6
            assert ours.quote_break_even_e6 == position.quote_break_even_e6

    # ------------------------------------------------------------ words

    @property
    def account(self) -> AccountState:
        return self.machine.account("main")

    def take(self, item: Input) -> list[Draft]:
        """An input that yields no draft leaves the state equal."""
        before = self.account if any(self.machine.accounts()) else None
        drafts = self.machine.accept(item)
        if not drafts and before is not None:
            assert self.account == before
        self.record += drafts
        for draft in drafts:
            self.witness.hears(draft.fact)
        return drafts

    def _dies(self) -> None:
        restored = self._restored()
        assert restored.digests() == self.machine.digests()
        assert restored.account("main") == self.account
        self.machine = restored
        self.take(AccountBooted(now_ns=self.chain.now_ns, alias="main"))
        self.the_account_is_read()

    def _begin_near_the_last_id(self) -> None:
        """A window rests under the lowest ids; as the record tells it, the last one used is near the highest."""
        self.a_grid_decides([(4, "buy"), (3, "buy"), (5, "sell"), (6, "sell")], [])
        self.what_is_on_its_way("lands")
        self.the_account_is_read()
        first = next(draft.fact for draft in self.record if isinstance(draft.fact, e.OrderAccepted))
        number, name = self.account.next_attempt, "tale/buy/0/99"
        old = replace(first, intent_id=name, attempt=number, user_order_id=USER_ORDER_IDS - 2, signature="old")
        ended = e.OrderClosed(
            intent_id=name,
            attempt=number,
            order_id=None,
            user_order_id=old.user_order_id,
            reason="expired",
            filled_e9=0,
            size_e9=old.size_e9,
        )
        for fact in (old, ended):
            self.record.append(Draft(stream="account:main", ts_ns=self.chain.now_ns, cause="", thread="", fact=fact))
        self.machine = self._restored()
        self.take(AccountBooted(now_ns=self.chain.now_ns, alias="main"))
        self.the_account_is_read()

    def _restored(self) -> ExecutionMachine:
        restored = ExecutionMachine(self.chain.sign)
        for draft in self.record:
            stored = Recorded(
                stream=draft.stream, version=1, ts_ns=draft.ts_ns, cause="", thread="", prev=GENESIS, fact=draft.fact
            )
            restored.restore(stored)
        return restored

    def _intent(self, level: tuple[int, str]) -> str:
        cell, side = level
        return f"tale/{side}/{cell}/{self.cycles.get(level, 0)}"

    def _wanted(self, intent_id: str, cell: int, side: Any) -> e.WantedOrder:
        price_e6 = (100 + cell + (side == "sell")) * E6
        size_e9 = self.witness.left_e9(intent_id)
        return e.WantedOrder(intent_id=intent_id, kind=side, cell=cell, side=side, price_e6=price_e6, size_e9=size_e9)

    def _gone(self, signature: str) -> list[Draft]:
        return self.take(TransactionGone(now_ns=self.chain.now_ns, alias="main", signature=signature, block_height=9))

    def _event(self, fact: e.Fact) -> None:
        event = Recorded(
            stream="grid:tale", version=1, ts_ns=self.chain.now_ns, cause="", thread="", prev=GENESIS, fact=fact
        )
        self.take(EventSeen(now_ns=self.chain.now_ns, event=event))


def test_execution_says_and_does_only_what_is_so_whatever_the_venue_does() -> None:
    run_state_machine_as_test(ExecutionAndVenue, settings=settings(max_examples=60, stateful_step_count=30))
