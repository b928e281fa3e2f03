"""What execution's process does with the chain: boot, send what is committed, walk the records, read the account."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gridkeeper_core.inputs import (
    AccountBooted,
    AccountRead,
    Input,
    MarketRead,
    TransactionGone,
    TransactionSeen,
    TransactionVanished,
)
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.state import AccountState, InFlight
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.records import SeenTransaction
from gridkeeper_lab.simulator.chain import ACCOUNT, Chain, Sent
from gridkeeper_lab.simulator.process import Process

RESEND_NS = 2 * NS_PER_S
READ_EVERY_NS = 5 * NS_PER_S
RECHECK_NS = NS_PER_S
NEVER = -1


class Desk:
    """Lives and dies with one process. `now_ns` is the true time, `clock_ns` what the process's host says."""

    def __init__(
        self,
        process: Process,
        machine: ExecutionMachine,
        chain: Chain,
        now_ns: Callable[[], int],
        clock_ns: Callable[[], int],
        at: Callable[[str], None],
    ) -> None:
        self._process = process
        self._machine = machine
        self._chain = chain
        self._now_ns = now_ns
        self._clock_ns = clock_ns
        self._at = at
        self._sent_ns: dict[str, int] = {}
        self._walked = NEVER
        self._read_ns = NEVER
        self._cursor: str | None = None
        self._cursor_slot = 0
        self._held: dict[str, int] = {}
        self._known: set[str] = set()

    @property
    def account(self) -> AccountState:
        """The account as execution knows it."""
        return self._machine.account(ACCOUNT)

    def boot(self, spec: MarketSpec) -> None:
        """The first inputs of a life."""
        now_ns = self._clock_ns()
        self._take(AccountBooted(now_ns=now_ns, alias=ACCOUNT), MarketRead(now_ns=now_ns, spec=spec))
        self._held = self.account.not_final()

    # ------------------------------------------------------------ sending

    def unsent(self) -> list[InFlight]:
        """What is to be sent, or sent again, now."""
        now_ns = self._now_ns()
        return [
            flight
            for flight in self.account.flights
            if now_ns - self._sent_ns.get(flight.signature, -RESEND_NS) >= RESEND_NS
        ]

    def send(self) -> None:
        """Send the committed bytes of everything in flight."""
        for flight in self.unsent():
            self._at("send")
            self._sent_ns[flight.signature] = self._now_ns()
            self._chain.send(Sent(flight.signature, flight.bytes_base64, flight.last_valid_block_height))
            self._at("sent")

    def gone(self) -> list[InFlight]:
        """What is in flight and can never land."""
        return [f for f in self.account.flights if self._chain.is_gone(f.signature, f.last_valid_block_height)]

    def tell_gone(self) -> None:
        """Report what can never land."""
        for flight in self.gone():
            self._take(
                TransactionGone(
                    now_ns=self._clock_ns(),
                    alias=ACCOUNT,
                    signature=flight.signature,
                    block_height=self._chain.final_slot,
                )
            )

    # ------------------------------------------------------------ walking and reading

    def wants_walk(self) -> bool:
        """Whether the chain may have something to tell."""
        is_older_final = any(slot < self._chain.final_slot for slot in self._held.values())
        return self._walked != self._chain.version or is_older_final

    def walk(self) -> None:
        """Tell what landed behind the cursor, what got final, and what a fork took."""
        chain, state = self._chain, self.account
        cursor = state.cursor if self._cursor is None else self._cursor
        places = {tx.signature: place for place, tx in enumerate(chain.landed)}
        listed = chain.landed[places.get(cursor, -1) + 1 :]
        here = {tx.signature: tx.slot for tx in listed}
        gone = [s for s, slot in self._held.items() if s in here and here[s] != slot]
        gone += [s for s, slot in self._held.items() if s not in places and slot < chain.final_slot]
        for signature in gone:
            del self._held[signature]
            self._known.discard(signature)
        told = self._news(listed)
        self._walked = chain.version
        if state.has_baseline:
            now_ns = self._clock_ns()
            self._take(
                *(TransactionVanished(now_ns=now_ns, alias=ACCOUNT, signature=s) for s in gone),
                *(TransactionSeen(now_ns=now_ns, alias=ACCOUNT, transaction=tx) for tx in told),
            )
        for tx in listed:
            if tx.slot > chain.final_slot:
                break
            cursor, self._cursor_slot = tx.signature, tx.slot
        self._cursor = cursor

    def wants_read(self) -> bool:
        """Whether it is time to compare, and what was walked is what the account holds."""
        if self._walked != self._chain.version or self.account.flights:
            return False
        state = self.account
        wait_ns = RECHECK_NS if state.is_in_doubt or state.phase != "live" else READ_EVERY_NS
        return self._read_ns == NEVER or self._now_ns() - self._read_ns >= wait_ns

    def read(self) -> None:
        """Compare the account with the record."""
        self._read_ns = self._now_ns()
        self._take(
            AccountRead(
                now_ns=self._clock_ns(),
                account=self._chain.read(),
                cursor=self._cursor or "",
                cursor_slot=self._cursor_slot,
            )
        )

    # ------------------------------------------------------------ inside

    def _news(self, listed: list[SeenTransaction]) -> list[SeenTransaction]:
        """What was not told yet, or not as final; a failed one of a stranger is nobody's business."""
        told = []
        for tx in listed:
            is_final = tx.slot <= self._chain.final_slot
            if tx.signature not in self._known or is_final:
                told.append(msgspec.structs.replace(tx, finalized=is_final))
            if is_final:
                self._held.pop(tx.signature, None)
                self._known.discard(tx.signature)
            else:
                self._held[tx.signature] = tx.slot
                self._known.add(tx.signature)
        return told

    def _take(self, *items: Input) -> None:
        if items:
            self._process.take([(item, None) for item in items])
