"""One account's books: every amount that changed its positions or its deposit, posted once, whatever the order."""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import (
    AccountAdopted,
    Fact,
    FillProven,
    FillReverted,
    ForeignFilled,
    FundingPaid,
    InterestPaid,
    KeeperFeeCharged,
    Liquidated,
    OrderFilled,
    PnlSettled,
    Posted,
    ProofChecked,
    Transferred,
)

NO_MARKET = -1


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a posting in double entry. `asset`: quote (units of 1e-6) or the base of a market (1e-9)."""

    book: str
    asset: str
    units: int


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What the postings add up to in one market (or, without a market, nothing): base 1e-9, quote 1e-6, signed."""

    base_e9: int = 0
    quote_e6: int = 0


class KindSum(msgspec.Struct, frozen=True, kw_only=True):
    """All postings of one kind."""

    count: int = 0
    quote_e6: int = 0
    deposit_e6: int = 0


class AccountBooks:
    """Sums of postings, and the newest postings by key, so that none is taken twice and one can be taken back."""

    def __init__(self) -> None:
        self.is_open = False
        self.deposit_e6 = 0
        self.holdings: dict[int, Holding] = {}
        self.symbols: dict[int, str] = {}
        self.kinds: dict[str, KindSum] = {}
        self.last_proof: ProofChecked | None = None
        self._recent: dict[str, tuple[Posted, ...]] = {}
        self._reverted: set[str] = set()

    def knows(self, key: str) -> bool:
        """Whether the fact with this key is posted already (as far back as the last but one snapshot)."""
        return key in self._recent

    def posted_under(self, key: str) -> tuple[Posted, ...]:
        """The postings of one fact."""
        return self._recent.get(key, ())

    def may_revert(self, key: str) -> bool:
        """Whether the fact with this key was not taken back already."""
        return key not in self._reverted

    def posted_for(self, signature: str, index: int) -> tuple[Posted, ...]:
        """The postings of one record of a transaction."""
        return next((g for g in self._recent.values() if (g[0].signature, g[0].index) == (signature, index)), ())

    def recent(self) -> tuple[Posted, ...]:
        """The postings since the last but one snapshot."""
        return tuple(posted for group in self._recent.values() for posted in group)

    def post(self, posted: Posted, cause: str) -> None:
        """Fold one posting."""
        self.deposit_e6 += posted.deposit_e6
        if posted.market_index != NO_MARKET:
            self._hold(posted)
        kind = self.kinds.get(posted.kind, KindSum())
        self.kinds[posted.kind] = KindSum(
            count=kind.count + 1,
            quote_e6=kind.quote_e6 + posted.quote_e6,
            deposit_e6=kind.deposit_e6 + posted.deposit_e6,
        )
        key = key_of(posted, cause)
        match posted.kind:
            case "opening":
                self.is_open = True
            case "reversal":
                # A reversal is of another kind than what it takes back, and kinds are part of most keys.
                gone = self.posted_under(key) or self.posted_for(posted.signature, posted.index)
                self._recent = {known: group for known, group in self._recent.items() if group is not gone}
                self._reverted.add(key)
            case _:
                self._reverted.discard(key)
                self._recent[key] = (*self._recent.get(key, ()), posted)

    def prove(self, proof: ProofChecked) -> None:
        """Fold one proof: what came before the snapshot before it, and is final, cannot come again."""
        if self.last_proof is not None:
            oldest = self.last_proof.slot
            if proof.final_slot is not None:
                oldest = min(oldest, proof.final_slot)
            self._recent = {key: group for key, group in self._recent.items() if group[0].slot > oldest}
        self.last_proof = proof

    def _hold(self, posted: Posted) -> None:
        held = self.holdings.get(posted.market_index, Holding())
        self.holdings[posted.market_index] = Holding(
            base_e9=held.base_e9 + posted.base_e9, quote_e6=held.quote_e6 + posted.quote_e6
        )
        if posted.market:
            self.symbols[posted.market_index] = posted.market


def key_of(posted: Posted, cause: str) -> str:
    """What identifies the fact behind a posting: its fill record, its place in a transaction, or the event itself."""
    if posted.fill_record_id is not None:
        return fill_key(posted.market_index, posted.fill_record_id)
    return f"{posted.kind}:{posted.market_index}:{posted.signature}:{posted.index}" if posted.signature else cause


def fill_key(market_index: int, fill_record_id: int) -> str:
    """The key of a fill record, unique for ever."""
    return f"fill:{market_index}:{fill_record_id}"


def legs_of(posted: Posted) -> tuple[Leg, ...]:
    """A posting in double entry: what the account has, against the book of its kind; each asset sums to zero."""
    base = f"base:{posted.market_index}"
    legs = (
        Leg(book=f"position:{posted.market_index}", asset=base, units=posted.base_e9),
        Leg(book=f"position:{posted.market_index}", asset="quote", units=posted.quote_e6),
        Leg(book="deposit", asset="quote", units=posted.deposit_e6),
        Leg(book=posted.kind, asset=base, units=-posted.base_e9),
        Leg(book=posted.kind, asset="quote", units=-posted.quote_e6 - posted.deposit_e6),
    )
    return tuple(leg for leg in legs if leg.units)


def postings_of(fact: Fact) -> tuple[Posted, ...]:
    """What a fact of execution changes in the account; nothing for facts that move no amount."""
    match fact:
        case OrderFilled() | FillProven() | ForeignFilled():
            return _fill_postings(fact)
        case AccountAdopted():
            return _adoption(fact)
        case FundingPaid():
            return (_funding(fact),)
        case PnlSettled():
            return (_settlement(fact),)
        case Transferred():
            return (_deposit("transfer", fact.quote_e6, fact.slot, fact.signature, fact.index),)
        case InterestPaid():
            return (_deposit("interest", fact.quote_e6, fact.slot, "", 0),)
        case KeeperFeeCharged():
            return (_keeper_fee(fact),)
        case Liquidated():
            return (_liquidation(fact),)
        case _:
            return ()


def reversal_of(postings: tuple[Posted, ...]) -> Posted:
    """One posting that takes back all of these."""
    first = postings[0]
    return msgspec.structs.replace(
        first,
        kind="reversal",
        base_e9=-sum(posted.base_e9 for posted in postings),
        quote_e6=-sum(posted.quote_e6 for posted in postings),
        deposit_e6=-sum(posted.deposit_e6 for posted in postings),
    )


def taken_back_late(fact: FillReverted) -> tuple[Posted, ...]:
    """The postings of a fill whose own are forgotten, because it was final, from the amounts it is taken back with."""
    if not fact.base_e9:
        return ()  # the release that wrote it did not say
    sign = 1 if fact.side == "buy" else -1
    trade = Posted(
        kind="trade",
        market="",
        base_e9=sign * fact.base_e9,
        quote_e6=-sign * fact.quote_e6,
        deposit_e6=0,
        signature=fact.signature,
        index=0,
        market_index=fact.market_index,
        fill_record_id=fact.fill_record_id,
    )
    return (trade, msgspec.structs.replace(trade, kind="fee", base_e9=0, quote_e6=-fact.fee_e6))


def _fill_postings(fact: OrderFilled | FillProven | ForeignFilled) -> tuple[Posted, ...]:
    sign = 1 if fact.side == "buy" else -1
    signature, index, record = "", 0, None
    if not isinstance(fact, FillProven):
        signature, index, record = fact.signature, fact.index, fact.fill_record_id
    trade = Posted(
        kind="trade",
        market=fact.market,
        base_e9=sign * fact.base_e9,
        quote_e6=-sign * fact.quote_e6,
        deposit_e6=0,
        signature=signature,
        index=index,
        market_index=fact.market_index,
        fill_record_id=record,
        slot=fact.slot,
    )
    if fact.fee_e6 == 0:
        return (trade,)
    return (trade, msgspec.structs.replace(trade, kind="fee", base_e9=0, quote_e6=-fact.fee_e6))


def _funding(fact: FundingPaid) -> Posted:
    return Posted(
        kind="funding",
        market=fact.market,
        base_e9=0,
        quote_e6=fact.quote_e6,
        deposit_e6=0,
        signature=fact.signature,
        index=fact.index,
        market_index=fact.market_index,
        slot=fact.slot,
    )


def _settlement(fact: PnlSettled) -> Posted:
    return Posted(
        kind="settlement",
        market=fact.market,
        base_e9=0,
        quote_e6=-fact.quote_e6,
        deposit_e6=fact.quote_e6,
        signature=fact.signature,
        index=fact.index,
        market_index=fact.market_index,
        slot=fact.slot,
    )


def _keeper_fee(fact: KeeperFeeCharged) -> Posted:
    return Posted(
        kind="keeper_fee",
        market="",
        base_e9=0,
        quote_e6=0 if fact.from_deposit else fact.quote_e6,
        deposit_e6=fact.quote_e6 if fact.from_deposit else 0,
        signature=fact.signature,
        index=fact.index,
        market_index=fact.market_index,
        slot=fact.slot,
    )


def _liquidation(fact: Liquidated) -> Posted:
    return Posted(
        kind="liquidation",
        market=fact.market,
        base_e9=fact.base_e9,
        quote_e6=fact.quote_e6 - fact.fee_e6,
        deposit_e6=0,
        signature=fact.signature,
        index=fact.index,
        market_index=fact.market_index,
        slot=fact.slot,
    )


def _adoption(fact: AccountAdopted) -> tuple[Posted, ...]:
    positions = tuple(
        Posted(
            kind="adoption",
            market=change.market,
            base_e9=change.base_e9,
            quote_e6=change.quote_e6,
            deposit_e6=0,
            signature="",
            index=0,
            market_index=change.market_index,
            slot=fact.slot,
        )
        for change in fact.changes
    )
    if not fact.deposit_change_e6:
        return positions
    return (*positions, _deposit("adoption", fact.deposit_change_e6, fact.slot, "", 0))


def _deposit(kind: str, quote_e6: int, slot: int, signature: str, index: int) -> Posted:
    return Posted(
        kind=kind,
        market="",
        base_e9=0,
        quote_e6=0,
        deposit_e6=quote_e6,
        signature=signature,
        index=index,
        slot=slot,
    )
