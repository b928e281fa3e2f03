"""A model of the chain and its venue for the property of execution: what was signed may land, fail, wait or be gone."""

from __future__ import annotations

from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue import records as r
from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.state import FillRules, MarketRules
from support.story import MARKET, SPEC, START_NS

OTHER_ERROR = 6_010


class ModelChain:
    """`flying` are transactions that may still land, `gone` those that never do, `landed` all that did, of which the
    first `told` were shown to execution. `by_place` says which order a placement became.
    """

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.venue = VenueModel([MarketRules(spec=SPEC)], FillRules(model="queue"))
        self.venue.advance(START_NS)
        self.venue.open_account("main")
        self.venue.deposit("main", 10_000 * E6)
        self.rolls: dict[str, r.Roll] = {}
        self.flying: list[str] = []
        self.gone: list[str] = []
        self.landed: list[r.SeenTransaction] = []
        self.told = 0
        self.by_place: dict[tuple[str, int], int] = {}
        self.seq = 0
        self._signatures = 0

    def sign(self, roll: r.Roll) -> r.Signed:
        """Nothing is signed while another transaction may still land: it would be sent beside it."""
        assert not self.flying, f"{roll} is signed while {self.flying} may land"
        signature = self._next_signature("s")
        self.rolls[signature] = roll
        self.flying.append(signature)
        return r.Signed(signature=signature, bytes_base64="", blockhash="", last_valid_block_height=0)

    def land(self, signature: str, *, fails: bool = False) -> None:
        """A leader takes it, and the program does what it says, or refuses all of it."""
        self.flying = [other for other in self.flying if other != signature]
        self.gone = [other for other in self.gone if other != signature]
        if fails:
            self._land(signature, (), ours=True, code=OTHER_ERROR, error="refused")
            return
        try:
            self._land(signature, self.venue.execute("main", self.rolls[signature]), ours=True)
        except VenueError as error:
            self._land(signature, (), ours=True, code=int(error.code), error=str(error))
        for batch in self.venue.run_keepers():
            self._land(self._next_signature("k"), batch.records, ours=False)

    def give_up(self, signature: str) -> None:
        """It is proven that it never lands."""
        self.flying.remove(signature)
        self.gone.append(signature)

    def price(self, price: int, size_e9: int) -> Price:
        """A row: the venue trades it."""
        self.seq += 1
        self.now_ns += NS_PER_S
        row = Price(
            market=MARKET, source="t", source_seq=self.seq, ts_ns=self.now_ns, oracle_e6=price * E6, size_e9=size_e9
        )
        for batch in self.venue.apply_row(row):
            self._land(self._next_signature("k"), batch.records, ours=False)
        return row

    def outcome(self, signature: str) -> r.SeenTransaction | None:
        """What became of a transaction; None for one that is not on the chain."""
        return next((tx for tx in self.landed if tx.signature == signature), None)

    def account(self) -> r.VenueAccount:
        """The account now."""
        return self.venue.read("main", "main")

    def swap_next(self) -> None:
        """The next two are told in the other order, where they say nothing of the same order."""
        waiting = self.landed[self.told : self.told + 2]
        if len(waiting) == 2 and not _orders_of(waiting[0]) & _orders_of(waiting[1]):
            self.landed[self.told : self.told + 2] = waiting[::-1]

    def _land(
        self,
        signature: str,
        records: tuple[r.VenueRecord, ...],
        *,
        ours: bool,
        code: int | None = None,
        error: str = "",
    ) -> None:
        self.now_ns += NS_PER_S
        self.venue.advance(self.now_ns)
        for record in records:
            if isinstance(record, r.PlacedRecord):
                self.by_place[signature, record.user_order_id] = record.order_id
        self.landed.append(
            r.SeenTransaction(
                signature=signature,
                slot=self.venue.slot,
                block_time_s=self.now_ns // NS_PER_S,
                finalized=False,
                error_code=code,
                error=error,
                fee_lamports=5_000,
                ours=ours,
                records=records,
            )
        )

    def _next_signature(self, kind: str) -> str:
        self._signatures += 1
        return f"{kind}{self._signatures}"


def _orders_of(transaction: r.SeenTransaction) -> set[int]:
    return {order_id for record in transaction.records if (order_id := getattr(record, "order_id", 0))}
