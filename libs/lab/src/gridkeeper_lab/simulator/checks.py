"""What must hold after every step, whatever failed: the promises, looked at from outside of the services."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from gridkeeper_core import events as e
from gridkeeper_core.ledger.account import Holding
from gridkeeper_core.ledger.state import LedgerState
from gridkeeper_core.names import split_intent
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.record import Recorded, decode, hash_of
from gridkeeper_core.venue.records import PlacedRecord
from gridkeeper_lab.simulator.broken import demand
from gridkeeper_lab.simulator.chain import ACCOUNT, Chain
from gridkeeper_lab.simulator.storage import Bus, Database, Message

BASELINE_CAUSES = ("boot:", "market:", "read:", "source:")
"""Causes outside of the record: a start, or what the venue or a source of prices said of itself."""


class _Place(NamedTuple):
    """Where an order on the venue comes from."""

    signature: str
    user_order_id: int


class Checks:
    """Reads new rows of every log once, as they are committed, and keeps what the promises are about."""

    def __init__(self, databases: Mapping[str, Database], bus: Bus, chain: Chain) -> None:
        self._databases = databases
        self._bus = bus
        self._chain = chain
        self._read = dict.fromkeys(databases, 0)
        self._carried = dict.fromkeys(databases, 0)
        self._heads: dict[str, tuple[int, str]] = {}
        self._known: set[str] = set()
        self._taken: dict[tuple[str, str], int] = {}
        self._signed: set[str] = set()
        self._intents: dict[_Place, str] = {}
        self._orders: dict[int, _Place] = {}
        self._wanted: set[str] = set()
        self._grids_with_price: set[str] = set()
        self._answered: dict[str, tuple[str, int]] = {}
        self._noted: set[tuple[str, int]] = set()
        self.prices: set[str] = set()
        self.commands: set[str] = set()
        self.signatures: set[str] = set()
        self.events = 0
        self.residuals: list[int] = []

    def after_step(self) -> None:
        """Everything that is cheap."""
        for name, database in self._databases.items():
            self._take_rows(name)
            self._check_carried(name, database)
        if not self._chain.forks:
            self.one_order_each()

    def landing(self, signature: str) -> None:
        """P7: what lands was recorded before it was sent."""
        demand(signature in self._signed, "P7", f"{signature} lands, and no record says that it was signed")

    def committed(self, reader: str, taken: Sequence[Message]) -> None:
        """P2: of each producer every message was taken once, in order, none left out."""
        for message in taken:
            place = self._taken.get((reader, message.app), 0)
            expected = self._bus.of[message.app][place].id
            demand(message.id == expected, "P2", f"{reader} took {message.id} of {message.app}, not {expected}")
            self._taken[reader, message.app] = place + 1
        self._take_rows(reader)

    def one_order_each(self, going: Container[int] = ()) -> None:
        """P3: on the venue an intent has one order, and a level of a side one, but for those known to be `going`."""
        seen: dict[tuple[str, str, int], str] = {}
        for order in self._chain.venue.accounts[ACCOUNT].open_orders:
            if order.order_id in going:
                continue
            place = self._orders.get(order.order_id)
            intent = self._intents.get(place) if place is not None else None
            demand(intent is not None, "P7", f"order {order.order_id} rests on the venue, and no record explains it")
            parts = split_intent(str(intent))
            level = (parts.grid_id, parts.kind, parts.key)
            demand(level not in seen, "P3", f"{intent} and {seen.get(level)} both rest on the venue")
            seen[level] = str(intent)

    def books_agree(self, account: AccountState, ledger: LedgerState | None) -> None:
        """P4: what the record and the books hold is what the venue holds, to the unit."""
        truth = self._chain.read()
        ours = {a.order_id: a.filled_e9 for a in account.attempts.values()}
        going = account.orphans.keys() | account.foreign.keys()
        held = {order.order_id: order.filled_e9 for order in truth.orders if order.order_id not in going}
        demand(ours == held, "P4", f"orders and fills: ours {ours}, the venue's {held}")
        for position in truth.positions:
            mine = account.positions.get(position.market_index)
            demand(
                mine is not None and (mine.base_e9, mine.quote_asset_e6) == (position.base_e9, position.quote_asset_e6),
                "P4",
                f"position: ours {mine}, the venue's {position}",
            )
        demand(account.deposit_e6 == truth.deposit_e6, "P4", f"deposit {account.deposit_e6}, not {truth.deposit_e6}")
        if ledger is None:
            return
        books = ledger.account(ACCOUNT)
        for position in truth.positions:
            holding = books.holdings.get(position.market_index, Holding())
            demand(
                (holding.base_e9, holding.quote_e6) == (position.base_e9, position.quote_asset_e6),
                "P4",
                f"the books hold {holding}, the venue {position}",
            )
        demand(books.deposit_e6 == truth.deposit_e6, "P4", f"books {books.deposit_e6}, venue {truth.deposit_e6}")

    # ------------------------------------------------------------ inside

    def _note_signatures(self) -> None:
        for tx in reversed(self._chain.landed):
            if (tx.signature, tx.slot) in self._noted:
                return
            self._noted.add((tx.signature, tx.slot))
            self.signatures.add(tx.signature)
            for record in self._chain.records_of(tx):
                if isinstance(record, PlacedRecord):
                    self._orders[record.order_id] = _Place(tx.signature, record.user_order_id)

    def _take_rows(self, name: str) -> None:
        self._note_signatures()
        database = self._databases[name]
        for row in database.rows[self._read[name] :]:
            self._take_row(name, row.stream, row.version, row.body)
        self._read[name] = len(database.rows)

    def _take_row(self, name: str, stream: str, version: int, body: bytes) -> None:
        event = decode(body)
        known, digest = self._heads.get(stream, (0, ""))
        demand(version == event.version == known + 1, "P6", f"{name} wrote {stream}@{version} after @{known}")
        demand(event.prev == digest, "P6", f"{name} wrote {event.identity} on another predecessor")
        self._heads[stream] = (version, hash_of(body))
        self.events += 1
        self._check_cause(event)
        self._known.add(event.identity)
        self._take_fact(event)

    def _check_cause(self, event: Recorded) -> None:
        """P9: what an event names as its cause exists, and a command is carried out once."""
        kind, _, rest = event.cause.partition(":")
        match kind:
            case "price":
                demand(event.cause in self.prices, "P9", f"{event.identity} names a price nobody gave: {event.cause}")
            case "cmd":
                demand(rest in self.commands, "P9", f"{event.identity} names a command nobody gave: {event.cause}")
                stream, last = self._answered.get(rest, (event.stream, event.version - 1))
                demand(stream != event.stream or last == event.version - 1, "P2", f"{event.cause} was done twice")
                self._answered[rest] = (event.stream, event.version)
            case "sig":
                signature = rest.partition(":")[0]
                is_known = signature in self.signatures or signature in self._signed
                demand(is_known, "P9", f"{event.identity} names a transaction that never was: {event.cause}")
            case "wake":
                demand(int(rest) <= event.ts_ns, "P9", f"{event.identity} comes before its deadline {event.cause}")
            case _ if event.cause.startswith(BASELINE_CAUSES):
                pass
            case _:
                demand(event.cause in self._known, "P9", f"{event.identity} names what is not recorded: {event.cause}")

    def _take_fact(self, event: Recorded) -> None:
        match event.fact:
            case e.PriceSeen():
                self._grids_with_price.add(event.stream)
            case e.OrdersWanted(wanted=wanted):
                self._wanted.update(order.intent_id for order in wanted)
            case e.OrderAccepted() as fact:
                self._check_accepted(fact)
                self._intents[_Place(fact.signature, fact.user_order_id)] = fact.intent_id
            case e.TransactionSigned(signature=signature):
                self._signed.add(signature)
            case e.ProofChecked(residual_e6=residual):
                self.residuals.append(residual)
                demand(residual == 0 or self._chain.forks, "BOOKS", f"{event.identity} leaves {residual} unexplained")
            case _:
                pass

    def _check_accepted(self, fact: e.OrderAccepted) -> None:
        """P9: an order was wanted by a grid that had seen a price."""
        demand(fact.intent_id in self._wanted, "P9", f"{fact.intent_id} was placed, and no grid wanted it")
        stream = f"grid:{split_intent(fact.intent_id).grid_id}"
        demand(stream in self._grids_with_price, "P9", f"{fact.intent_id} was placed, and its grid saw no price")

    def _check_carried(self, name: str, database: Database) -> None:
        """P1: what was published is what is stored, row by row, and nothing of it is left out."""
        messages = self._bus.of.get(name, [])
        for place in range(self._carried[name], len(messages)):
            demand(messages[place].row is database.rows[place], "P1", f"message {place} of {name} is not its row")
            before = messages[place - 1].id if place else 0
            demand(messages[place].prev == before, "P1", f"message {place} of {name} does not follow the one before")
        self._carried[name] = len(messages)
