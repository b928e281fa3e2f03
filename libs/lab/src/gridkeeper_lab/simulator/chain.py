"""A chain with one venue on it: transactions are sent, land late or never, get final, and are dropped by forks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

import msgspec

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.records import Roll, SeenTransaction, Signed, VenueAccount, VenueRecord
from gridkeeper_core.venue.state import FillBatch, FillRules, MarketRules, VenueState, slot_at

ACCOUNT = "main"
FINAL_SLOTS = 32
LIFE_SLOTS = 60
"""How long a signed transaction may land; shorter than in life, so that a short run sees many expire."""
FEE_LAMPORTS = 5_000


class Sent(msgspec.Struct, frozen=True):
    """A transaction on its way; nobody takes it before the slot `not_before`."""

    signature: str
    bytes_base64: str
    last_valid: int
    not_before: int = 0


class Chain:
    """One account. Each landing has a slot of its own, ahead of the clock if need be, as in the sandbox.

    `on_landing` is told of our transactions as they land.
    """

    def __init__(self, spec: MarketSpec, fills: FillRules, on_landing: Callable[[str], None]) -> None:
        self.venue = VenueModel([MarketRules(spec=spec, expiry_grace_s=2, keeper_fee_e6=1_000)], fills)
        self.landed: list[SeenTransaction] = []
        self.mempool: list[Sent] = []
        self.version = 0
        self.forks = 0
        self.unsigned = 0
        self.cuts = 0
        self._deeds: list[tuple[VenueState, int]] = []
        self._sent: dict[str, Sent] = {}
        self._whole: dict[str, tuple[VenueRecord, ...]] = {}
        self._floor = 0
        self._signatures = 0
        self._on_landing = on_landing

    def open_account(self, deposit_e6: int) -> None:
        """The account and its money, before anybody looks."""
        self.venue.open_account(ACCOUNT)
        self.venue.deposit(ACCOUNT, deposit_e6)

    # ------------------------------------------------------------ time and slots

    @property
    def slot(self) -> int:
        """The newest slot."""
        last = self.landed[-1].slot if self.landed else 0
        return max(slot_at(self.venue.now_ns), self._floor, last)

    @property
    def final_slot(self) -> int:
        """Up to here nothing can be dropped any more."""
        return self.slot - FINAL_SLOTS

    def advance(self, now_ns: int) -> None:
        """Time passes; keepers do what is due."""
        due_ns = self.venue.next_deadline_ns()
        if due_ns is not None and due_ns <= now_ns:
            mark = self.venue.mark()
            self.venue.advance(now_ns)
            self._keepers(mark, self.venue.run_keepers())
        else:
            self.venue.advance(now_ns)

    # ------------------------------------------------------------ transactions

    def sign(self, roll: Roll) -> Signed | None:
        """See `gridkeeper_core.orders.decide.Signer`; None for as often as `unsigned` says."""
        if self.unsigned:
            self.unsigned -= 1
            return None
        self._signatures += 1
        return Signed(
            signature=f"s{self._signatures}",
            bytes_base64=base64.b64encode(msgspec.json.encode(roll)).decode(),
            blockhash="",
            last_valid_block_height=self.slot + LIFE_SLOTS,
        )

    def send(self, sent: Sent) -> None:
        """Bytes reach the chain; once is enough, twice does no harm."""
        known = {waiting.signature for waiting in self.mempool} | {tx.signature for tx in self.landed}
        if sent.signature not in known:
            self.mempool.append(sent)
            self._sent[sent.signature] = sent

    def landable(self) -> list[int]:
        """Places in the mempool of what a leader would take now; what is too old is forgotten."""
        slot = self.slot + 1
        self.mempool = [sent for sent in self.mempool if slot <= sent.last_valid]
        return [place for place, sent in enumerate(self.mempool) if sent.not_before <= slot]

    def land(self, place: int) -> None:
        """A leader takes a transaction."""
        sent = self.mempool.pop(place)
        self._on_landing(sent.signature)
        roll = msgspec.json.decode(base64.b64decode(sent.bytes_base64), type=Roll)
        mark = self.venue.mark()
        error, records = None, tuple[VenueRecord, ...]()
        try:
            records = self.venue.execute(ACCOUNT, roll)
        except VenueError as refusal:
            error = refusal
        self._deeds.append((mark, len(self.landed)))
        is_cut = bool(self.cuts and records and not roll.settle_markets)
        self.cuts -= is_cut
        self._whole[sent.signature] = records
        self._land(sent.signature, records[: len(records) // 2] if is_cut else records, error, is_cut=is_cut)
        self._keepers(self.venue.mark(), self.venue.run_keepers())

    def is_gone(self, signature: str, last_valid: int) -> bool:
        """Whether a transaction provably never lands: its height is over for good, and the chain does not know it."""
        return self.final_slot > last_valid and all(tx.signature != signature for tx in self.landed)

    # ------------------------------------------------------------ the market

    def row(self, price: Price) -> None:
        """One price, and the trades behind it."""
        mark = self.venue.mark()
        self._keepers(mark, self.venue.apply_row(price))

    def pay_funding(self, symbol: str, rate_e9: int) -> None:
        """Every position pays or receives."""
        mark = self.venue.mark()
        self._keepers(mark, self.venue.pay_funding(symbol, rate_e9))

    def fork(self, depth: int, *, relands: bool) -> None:
        """The newest deeds that are not final are undone; our transactions among them may land again."""
        place = len(self._deeds)
        for _ in range(depth):
            if place and self._first_slot(place - 1) > self.final_slot:
                place -= 1
        if place == len(self._deeds):
            return
        mark, first = self._deeds[place]
        dropped, self.landed = self.landed[first:], self.landed[:first]
        del self._deeds[place:]
        self._floor = dropped[-1].slot + 1
        markets, now_ns = dict(self.venue.markets), self.venue.now_ns
        self.venue.rewind(mark)
        self.venue.take_prices(markets, now_ns)
        self.forks += 1
        self.version += 1
        if relands:
            again = [self._sent[tx.signature] for tx in dropped if tx.ours]
            self.mempool = again + self.mempool

    def records_of(self, tx: SeenTransaction) -> tuple[VenueRecord, ...]:
        """What a transaction really did, also where its log was cut."""
        return self._whole.get(tx.signature, tx.records) if tx.ours else tx.records

    def read(self) -> VenueAccount:
        """The account now."""
        return msgspec.structs.replace(self.venue.read(ACCOUNT, ACCOUNT), slot=self.slot)

    # ------------------------------------------------------------ inside

    def _first_slot(self, deed: int) -> int:
        return self.landed[self._deeds[deed][1]].slot

    def _keepers(self, mark: VenueState, batches: Iterable[FillBatch]) -> None:
        first = len(self.landed)
        for batch in batches:
            self._signatures += 1
            self._land(f"k{self._signatures}", batch.records, None, ours=False)
        if len(self.landed) > first:
            self._deeds.append((mark, first))

    def _land(
        self,
        signature: str,
        records: tuple[VenueRecord, ...],
        error: VenueError | None,
        *,
        ours: bool = True,
        is_cut: bool = False,
    ) -> None:
        self.version += 1
        self.landed.append(
            SeenTransaction(
                signature=signature,
                slot=self.slot + 1,
                block_time_s=self.venue.now_ns // NS_PER_S,
                finalized=False,
                error_code=int(error.code) if error else None,
                error=str(error) if error else "",
                fee_lamports=FEE_LAMPORTS if ours else 0,
                ours=ours,
                records=records,
                logs_truncated=is_cut,
            )
        )
