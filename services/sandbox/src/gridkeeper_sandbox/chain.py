"""What landed, in which slot, and how final it is: the chain without the programs on it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
from solders.hash import Hash

from gridkeeper_core.venue.state import slot_at

BLOCKHASH_LIFE_SLOTS = 150
_MILLISECONDS_PER_SLOT = 400
_GENESIS = b"gridkeeper sandbox"
Commitment = Literal["processed", "confirmed", "finalized"]


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction on the chain. `error` is the chain's JSON for it, None for success; `keys` are all it names.

    `balances` are the lamports of each of them before and after it.
    """

    signature: str
    slot: int
    block_time_s: int
    data: bytes
    keys: tuple[str, ...]
    loaded_writable: int
    loaded_readonly: int
    error: Any
    logs: tuple[str, ...]
    fee_lamports: int
    units: int
    balances: tuple[tuple[int, int], ...]


class Chain:
    """One transaction after the other. A slot is a moment of 400 ms, so it needs no memory and none is skipped.

    With `own_slots` what was read at a slot stays true for it: each change lands in a slot of its own, ahead of the
    clock if need be. Clients that see an account twice at one slot believe the first.

    With `skips_empty_slots` only slots with a transaction hold a block: on a tape that jumps by hours at once, the
    block height must not run away from clients that had no chance to act in between.
    """

    def __init__(
        self, *, confirmed_slots: int, finalized_slots: int, own_slots: bool, skips_empty_slots: bool = False
    ) -> None:
        self._own_slots = own_slots
        self._skips_empty_slots = skips_empty_slots
        self._depths = {"processed": 0, "confirmed": confirmed_slots, "finalized": finalized_slots}
        self.landed: list[Landed] = []
        self._places: dict[str, int] = {}
        self._by_key: dict[str, list[int]] = {}
        self._floor = 0
        self._final_slot = 0
        self._dead_slots: list[tuple[int, int]] = []

    def land(self, transaction: Landed) -> None:
        """Appends a transaction; its slot is not below the last one's."""
        place = len(self.landed)
        self.landed.append(transaction)
        self._places[transaction.signature] = place
        for key in transaction.keys:
            self._by_key.setdefault(key, []).append(place)

    def finalize(self) -> None:
        """Everything that landed is final from now on, however young: reads show it, and their slot says so."""
        if self.landed:
            self._final_slot = self.landed[-1].slot

    def drop_from(self, place: int, now_ns: int) -> list[Landed]:
        """Leaves the fork with the transaction at `place`: it and all after it are gone, and no slot is seen twice."""
        dropped = self.landed[place:]
        self._dead_slots.append((dropped[0].slot, self._head(now_ns)))
        self._floor = self._head(now_ns) + 1
        del self.landed[place:]
        for transaction in dropped:
            del self._places[transaction.signature]
            for key in set(transaction.keys):
                places = self._by_key[key]
                while places and places[-1] >= place:
                    places.pop()
        return dropped

    def place_of(self, signature: str) -> int | None:
        """How many transactions landed before this one; None where it is not on the chain."""
        return self._places.get(signature)

    def find(self, signature: str) -> Landed | None:
        """The transaction with this signature."""
        place = self._places.get(signature)
        return None if place is None else self.landed[place]

    def slot(self, now_ns: int, commitment: Commitment) -> int:
        """The newest slot at that commitment."""
        return max(self._final_slot, self._head(now_ns) - self._depths[commitment])

    def block_height(self, now_ns: int, commitment: Commitment) -> int:
        """How many blocks there are up to the newest slot at that commitment."""
        if self._skips_empty_slots:
            return max(0, len(self.landed) - self._depths[commitment])
        return self.slot(now_ns, commitment)

    def landing_slot(self, now_ns: int) -> int:
        """The slot of what lands now."""
        return self._head(now_ns) + (1 if self._own_slots else 0)

    def commitment_of(self, transaction: Landed, now_ns: int) -> Commitment:
        """How final a landed transaction is now."""
        for commitment in ("finalized", "confirmed"):
            if transaction.slot <= self.slot(now_ns, commitment):
                return commitment
        return "processed"

    def naming(
        self, key: str, now_ns: int, *, commitment: Commitment, before: str, until: str, limit: int
    ) -> list[Landed]:
        """Transactions that name an account, newest first: older than `before`, newer than `until`."""
        newest = self.slot(now_ns, commitment)
        below = self._places.get(before, len(self.landed) if not before else -1)
        above = self._places.get(until, -1)
        found: list[Landed] = []
        for place in reversed(self._by_key.get(key, [])):
            if place <= above or len(found) == limit:
                break
            if place < below and self.landed[place].slot <= newest:
                found.append(self.landed[place])
        return found

    def blockhash(self, now_ns: int, commitment: Commitment = "processed") -> tuple[Hash, int]:
        """The newest blockhash at a commitment and the last block height at which it is valid.

        It says itself of which slot it is, so that it is known again after a restart; and it changes with every
        transaction, so that the same order can be placed twice while a tape stands still.
        """
        last_valid = self.block_height(now_ns, commitment) + BLOCKHASH_LIFE_SLOTS
        return _hash_of(self.slot(now_ns, commitment), len(self.landed)), last_valid

    def is_recent(self, blockhash: Hash, now_ns: int) -> bool:
        """Whether a transaction with this blockhash may still land; one of a fork that was left never does."""
        slot, count = (int.from_bytes(bytes(blockhash)[first : first + 8]) for first in (0, 8))
        age = len(self.landed) - count if self._skips_empty_slots else self._head(now_ns) - slot
        is_dead = any(first <= slot <= last for first, last in self._dead_slots)
        return _hash_of(slot, count) == blockhash and age <= BLOCKHASH_LIFE_SLOTS and not is_dead

    def _head(self, now_ns: int) -> int:
        return max(slot_at(now_ns), self._floor, self.landed[-1].slot if self.landed else 0)


def genesis_hash() -> Hash:
    """By which clients tell clusters apart."""
    return Hash(hashlib.sha256(_GENESIS).digest())


def block_time_s(slot: int) -> int:
    """The chain's clock at a slot."""
    return slot * _MILLISECONDS_PER_SLOT // 1000


def _hash_of(slot: int, count: int) -> Hash:
    head = slot.to_bytes(8) + count.to_bytes(8)
    return Hash(head + hashlib.sha256(_GENESIS + head).digest()[:16])
