"""The venue's records since the cursor, by their key: a map whose copy with one more costs the same however many."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import msgspec

from gridkeeper_core.events import (
    FillProven,
    ForeignFilled,
    FundingPaid,
    InterestPaid,
    KeeperFeeCharged,
    Liquidated,
    OrderFilled,
    PnlSettled,
    Transferred,
)

Move = (
    OrderFilled
    | FillProven
    | ForeignFilled
    | FundingPaid
    | PnlSettled
    | Transferred
    | InterestPaid
    | KeeperFeeCharged
    | Liquidated
)
"""What changes positions or the deposit."""
Key = tuple[str, int]
"""What a move is known by."""

_NEWER_MAX = 64


class Seen(msgspec.Struct, frozen=True):
    """Moves in the order of the chain; the `older` ones are copied only once in a while."""

    older: dict[Key, Move] = {}
    newer: dict[Key, Move] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self.newer or key in self.older

    def get(self, key: Key) -> Move | None:
        """The move known by this key, if there is one."""
        return self.newer.get(key) or self.older.get(key)

    def with_move(self, key: Key, move: Move) -> Seen:
        """A copy with one more at the end; one that is known already is replaced where it stands."""
        if key in self.older or len(self.newer) >= _NEWER_MAX:
            return Seen({**self.older, **self.newer, key: move})
        return Seen(self.older, {**self.newer, key: move})

    def items(self) -> Iterator[tuple[Key, Move]]:
        """Keys and moves, the oldest first."""
        return chain(self.older.items(), self.newer.items())

    def values(self) -> Iterator[Move]:
        """The moves, the oldest first."""
        return chain(self.older.values(), self.newer.values())

    def newest_first(self) -> Iterator[Move]:
        """The moves, the newest first."""
        return chain(reversed(self.newer.values()), reversed(self.older.values()))
