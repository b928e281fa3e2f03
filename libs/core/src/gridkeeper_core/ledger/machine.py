"""The ledger's machine: books what strategy and execution recorded, marks it at prices, proves it against the venue."""

from __future__ import annotations

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import (
    AccountSnapshot,
    BooksAllotted,
    BooksClosed,
    BooksOpened,
    BooksRearranged,
    CycleClosed,
    EntryDone,
    Fact,
    FillBooked,
    FillProven,
    FillReverted,
    FundingBooked,
    FundingPaid,
    GridEdited,
    GridOpened,
    GridStopped,
    LevelsShifted,
    Liquidated,
    Marked,
    OrderFilled,
    Posted,
    ProofChecked,
    RecordReverted,
    SolChecked,
    SolCounted,
    SolMoved,
    SolPosted,
)
from gridkeeper_core.inputs import EventSeen, Input, PriceTick, Wake, cause_of
from gridkeeper_core.ledger.account import (
    AccountBooks,
    fill_key,
    key_of,
    postings_of,
    reversal_of,
    taken_back_late,
)
from gridkeeper_core.ledger.allotment import allotted
from gridkeeper_core.ledger.books import Booked, GridBooks
from gridkeeper_core.ledger.entries import (
    entry_of_booked,
    entry_of_funding,
    entry_of_reverted,
    fill_of_fact,
    fill_of_liquidation,
    late_entry,
    reverted_fill,
    with_result,
)
from gridkeeper_core.ledger.marks import result_at
from gridkeeper_core.ledger.performance import Performance
from gridkeeper_core.ledger.proof import checked, opening_postings
from gridkeeper_core.ledger.rearranged import rearranged
from gridkeeper_core.ledger.state import LedgerState, MarkClock, StoppedGrid
from gridkeeper_core.ledger.views import account_digest, grid_digest
from gridkeeper_core.ledger.wallet_books import count_facts, fold_wallet_books, posting_of, wallet_books_digest
from gridkeeper_core.machine import Draft
from gridkeeper_core.names import grid_of, split_stream, stream
from gridkeeper_core.record import Recorded


class LedgerMachine:
    """Writes `ledger:<grid>` and `books:<alias>`. A fact that arrives twice changes nothing."""

    def __init__(self) -> None:
        self.state = LedgerState()

    def accept(self, item: Input) -> list[Draft]:
        """Book one input. Facts that concern neither money nor a grid's life yield nothing."""
        match item:
            case PriceTick():
                self.state.prices_e6[item.price.market] = item.price.oracle_e6
                return []
            case EventSeen():
                return _Booking(self.state, item.now_ns, cause_of(item)).event(item.event)
            case Wake():
                return _Booking(self.state, item.now_ns, cause_of(item)).marks()
            case _:
                return []

    def restore(self, event: Recorded) -> None:
        """Fold one stored event. Raises GridkeeperError REPLAY_DIFFERS when the books come to another result."""
        _Booking(self.state, event.ts_ns, event.cause).refold(event.stream, event.fact)

    def hear(self, stream_name: str, price_e6: int) -> None:
        """Note the price a grid's mark was made at: for a replay, which gets no prices but those."""
        grid_id = split_stream(stream_name)[1]
        if grid_id in self.state.grids:
            self.state.prices_e6[self.state.grids[grid_id].opening.market] = price_e6

    def next_wake_ns(self) -> int | None:
        """When the next grid is to be looked at for a mark."""
        return min((clock.due_ns for clock in self.state.clocks.values()), default=None)

    def digests(self) -> dict[str, str]:
        """The digest of each grid's and each account's books."""
        state = self.state
        ids = sorted(state.grids.keys() | state.stopped.keys())
        grids = {stream("ledger", grid_id): grid_digest(state, grid_id) for grid_id in ids}
        accounts = {stream("books", alias): account_digest(state, alias) for alias in sorted(state.accounts)}
        wallets = {stream("sol", key): wallet_books_digest(books) for key, books in sorted(state.wallets.items())}
        return grids | accounts | wallets


class _Booking:
    """One input's drafts, each folded as it is made."""

    def __init__(self, state: LedgerState, now_ns: int, cause: str) -> None:
        self._state = state
        self._now_ns = now_ns
        self._cause = cause
        self._thread = ""
        self._drafts: list[Draft] = []

    def event(self, event: Recorded) -> list[Draft]:
        kind, name = split_stream(event.stream)
        self._thread = event.thread
        match kind, event.fact:
            case "grid", GridOpened():
                self._open(name, event.fact)
            case "grid", GridEdited() | LevelsShifted() if name in self._state.grids:
                changed = rearranged(self._state.grids[name].sums, event.fact)
                if changed is not None:
                    self._draft_grid(name, changed)
            case "grid", EntryDone() if name in self._state.grids:
                self._draft_grid(name, allotted(self._state.grids[name], event.fact))
            case "grid", GridStopped():
                self._close(name)
            case "account", AccountSnapshot():
                self._prove(name, event.fact)
            case "account", FillReverted():
                self._revert(name, event.fact)
            case "account", RecordReverted():
                self._revert_record(name, event.fact)
            case "account", _:
                self._post(name, event.fact)
            case "wallet", SolMoved() | SolCounted():
                self._post_sol(name, event.fact)
        return self._drafts

    def marks(self) -> list[Draft]:
        for grid_id, clock in sorted(self._state.clocks.items()):
            if clock.due_ns > self._now_ns:
                continue
            clock.looked(self._now_ns)
            price_e6 = self._state.price_of(grid_id)
            if price_e6 is not None and clock.has_news(price_e6):
                self._mark(grid_id)
        return self._drafts

    def refold(self, stream_name: str, fact: Fact) -> None:
        kind, name = split_stream(stream_name)
        if kind == "books":
            self._fold_account(self._state.account(name), fact)
        elif isinstance(fact, SolPosted | SolChecked):
            self._state.wallets[name] = fold_wallet_books(self._state.wallet(name), fact)
        elif isinstance(fact, FillBooked):
            booked = self._book(name, fact)
            _must_agree(fact, with_result(fact, self._state.grids[name].sums, booked))
        else:
            self._fold_grid(name, fact)

    def _open(self, grid_id: str, fact: GridOpened) -> None:
        if grid_id in self._state.grids:
            return
        opened = BooksOpened(
            market=fact.spec.symbol,
            market_index=fact.spec.index,
            sizes_e9=fact.sizes_e9,
            held_e9=fact.held_e9,
            start_price_e6=fact.start_price_e6,
            start_position_e9=fact.start_position_e9,
            start_quote_entry_e6=fact.start_quote_entry_e6,
            enters=fact.enters,
            capital_e6=fact.capital_e6,
            adopted_from=fact.adopted_from,
        )
        self._draft_grid(grid_id, opened)

    def _close(self, grid_id: str) -> None:
        if grid_id not in self._state.grids:
            return
        self._mark(grid_id)
        sums = self._state.grids[grid_id].sums
        self._draft_grid(grid_id, BooksClosed(position_e9=sums.position.base_e9, fills=sums.fills, turns=sums.turns))

    def _post(self, alias: str, fact: Fact) -> None:
        postings = postings_of(fact)
        if not postings or self._state.account(alias).knows(key_of(postings[0], self._cause)):
            return
        for posted in postings:
            self._draft_account(alias, posted)
        match fact:
            case OrderFilled() | FillProven() if grid_of(fact.intent_id) in self._state.grids:
                self._fill(grid_of(fact.intent_id), fill_of_fact(fact, alias))
            case Liquidated() if fact.base_e9 and (owner := self._owner(alias, fact.market_index)):
                self._fill(owner, fill_of_liquidation(fact, alias))
            case FundingPaid() if owner := self._owner(alias, fact.market_index):
                self._fund(owner, fact)

    def _fill(self, grid_id: str, fill: FillBooked) -> None:
        booked = self._book(grid_id, fill)
        self._draft(stream("ledger", grid_id), with_result(fill, self._state.grids[grid_id].sums, booked))
        for turn in booked.closed:
            cycle = CycleClosed(
                cell=turn.cell,
                cycle=turn.cycle,
                base_e9=turn.turn.base_e9,
                buy_quote_e6=turn.turn.buy_quote_e6,
                sell_quote_e6=turn.turn.sell_quote_e6,
                fee_e6=turn.turn.fee_e6,
                profit_e6=turn.turn.profit_e6,
                opened_ns=turn.turn.opened_ns,
            )
            self._draft_grid(grid_id, cycle)

    def _revert(self, alias: str, fact: FillReverted) -> None:
        account, key = self._state.accounts.get(alias), fill_key(fact.market_index, fact.fill_record_id)
        if account is None or not account.may_revert(key):
            return
        postings = account.posted_under(key) or taken_back_late(fact)
        if not postings:
            return
        self._draft_account(alias, reversal_of(postings))
        grid_id = grid_of(fact.intent_id)
        books = self._state.grids.get(grid_id)
        entry = books and (books.recorded(fact.fill_record_id) or late_entry(fact, self._cause, self._now_ns))
        if books and entry:
            self._fill(grid_id, reverted_fill(fact, entry, books.opening.market, alias))

    def _revert_record(self, alias: str, fact: RecordReverted) -> None:
        account = self._state.accounts.get(alias)
        postings = account.posted_for(fact.signature, fact.index) if account else ()
        if not postings:
            return
        self._draft_account(alias, reversal_of(postings))
        paid = postings[0]
        if paid.kind == "funding" and (owner := self._owner(alias, paid.market_index)):
            booked = FundingBooked(
                market=paid.market,
                quote_e6=-paid.quote_e6,
                signature=paid.signature,
                index=paid.index,
                slot=paid.slot,
            )
            self._draft_grid(owner, booked)

    def _post_sol(self, wallet: str, fact: SolMoved | SolCounted) -> None:
        books = self._state.wallet(wallet)
        told = posting_of(books, fact) if isinstance(fact, SolMoved) else count_facts(books, fact)
        if told is not None:
            self._draft(stream("sol", wallet), told)
            self._state.wallets[wallet] = fold_wallet_books(books, told)

    def _fund(self, grid_id: str, fact: FundingPaid) -> None:
        booked = FundingBooked(
            market=fact.market, quote_e6=fact.quote_e6, signature=fact.signature, index=fact.index, slot=fact.slot
        )
        self._draft_grid(grid_id, booked)

    def _prove(self, alias: str, snapshot: AccountSnapshot) -> None:
        account = self._state.account(alias)
        if account.is_open:
            self._draft_account(alias, checked(account, snapshot))
            return
        for posted in opening_postings(account, snapshot):
            self._draft_account(alias, posted)

    def _mark(self, grid_id: str) -> None:
        price = self._state.price_of(grid_id)
        if price is None:
            return
        result = result_at(self._state.grids[grid_id].sums, price)
        marked = Marked(
            price_e6=price,
            position_e9=result.position_e9,
            grid_profit_e6=result.grid_profit_e6,
            realized_pnl_e6=result.realized_pnl_e6,
            unrealized_pnl_e6=result.unrealized_pnl_e6,
            fees_e6=result.fees_e6,
            funding_e6=result.funding_e6,
            total_pnl_e6=result.total_pnl_e6,
        )
        self._draft_grid(grid_id, marked)

    def _owner(self, alias: str, market_index: int) -> str:
        return self._state.owners.get((alias, market_index), "")

    def _draft(self, stream_name: str, fact: Fact) -> None:
        self._drafts.append(
            Draft(stream=stream_name, ts_ns=self._now_ns, cause=self._cause, thread=self._thread, fact=fact)
        )

    def _draft_grid(self, grid_id: str, fact: Fact) -> None:
        self._draft(stream("ledger", grid_id), fact)
        self._fold_grid(grid_id, fact)

    def _draft_account(self, alias: str, fact: Posted | ProofChecked) -> None:
        self._draft(stream("books", alias), fact)
        self._fold_account(self._state.account(alias), fact)

    def _book(self, grid_id: str, fill: FillBooked) -> Booked:
        books = self._state.grids[grid_id]
        self._state.clocks[grid_id].books_changed()
        self._state.owners[fill.account, fill.market_index] = grid_id
        if fill.base_e9 > 0:
            return books.book(entry_of_booked(fill, self._cause, self._now_ns))
        entry = books.recorded(fill.fill_record_id) or entry_of_reverted(fill, self._cause, self._now_ns)
        return books.take_back(entry)

    def _fold_account(self, account: AccountBooks, fact: Fact) -> None:
        match fact:
            case Posted():
                account.post(fact, self._cause)
            case ProofChecked():
                account.prove(fact)

    def _fold_grid(self, grid_id: str, fact: Fact) -> None:
        state = self._state
        match fact:
            case BooksOpened():
                state.grids[grid_id] = GridBooks(fact, self._now_ns)
                state.clocks[grid_id] = MarkClock(self._now_ns)
                state.stopped.pop(grid_id, None)
                state.performance[grid_id] = Performance(self._now_ns, fact.capital_e6)
                if fact.adopted_from:
                    state.owners[fact.adopted_from, fact.market_index] = grid_id
            case BooksClosed():
                self._let_go(grid_id)
            case FundingBooked():
                state.grids[grid_id].book(entry_of_funding(fact, self._cause, self._now_ns))
                state.clocks[grid_id].books_changed()
            case BooksAllotted():
                state.grids[grid_id].allot(fact, self._now_ns)
            case BooksRearranged():
                state.grids[grid_id].rearrange(fact)
            case Marked():
                state.clocks[grid_id].marked(fact.price_e6, self._now_ns)
                state.performance[grid_id].marked(fact.total_pnl_e6)

    def _let_go(self, grid_id: str) -> None:
        state = self._state
        books = state.grids.pop(grid_id)
        clock = state.clocks.pop(grid_id)
        state.stopped[grid_id] = StoppedGrid(
            market=books.opening.market,
            price_e6=books.opening.start_price_e6 if clock.price_e6 is None else clock.price_e6,
            sums=msgspec.structs.replace(books.sums, cells={}),
            closed_ns=self._now_ns,
        )
        state.owners = {market: owner for market, owner in state.owners.items() if owner != grid_id}


def _must_agree(stored: FillBooked, folded: FillBooked) -> None:
    if stored != folded:
        raise GridkeeperError("REPLAY_DIFFERS", value=folded, expected=str(stored))
