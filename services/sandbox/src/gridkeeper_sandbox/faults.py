"""Decides which request or transaction a fault strikes: seeded, so that equal runs meet equal faults."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import NS_PER_S

FaultKind = Literal[
    "rate-limit",
    "server-error",
    "garbage",
    "slow",
    "lost-request",
    "lost-answer",
    "slot-regression",
    "null-transaction",
    "truncated-logs",
    "lost-transaction",
    "late-transaction",
    "fork",
    "dropped-websocket",
]
CHAIN_KINDS: tuple[FaultKind, ...] = ("lost-transaction", "late-transaction", "fork")
"""Kinds that need a chain whose time goes on by itself."""
KEEPERS = "keepers"
"""What a fork's `method` names to strike transactions of keepers, which are fills; sendTransaction strikes ours."""
_SHARES = 2**64


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of fault, and which of the requests it could strike it does strike.

    `method` is a JSON-RPC method (for `dropped-websocket` a notification, `accountNotification`; for `fork` also
    `keepers`); empty = any. Of those, `after` pass, then each is struck with the chance `share`, `count` times at most
    (0 = without an end), from `from_s` to `until_s` seconds after the scenario began (0 = without an end).

    `delay_ms`: `slow`: of the answer; `late-transaction`: until it lands; `fork`: until the transaction is gone.
    `relands`: the new fork takes the dropped transactions of clients in again. `every_copy`: a lost transaction is lost
    however often it is sent again. `status` is a server error's, `retry_after_s` goes with a 429 (negative: without).
    """

    kind: FaultKind
    method: str = ""
    after: int = 0
    count: int = 0
    share: float = 1.0
    from_s: float = 0.0
    until_s: float = 0.0
    delay_ms: int = 2_000
    status: int = 503
    retry_after_s: int = 1
    relands: bool = False
    every_copy: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("share is a part of one, from 0 to 1")
        if min(self.after, self.count, self.delay_ms, self.from_s, self.until_s) < 0:
            raise ValueError("after, count, delay_ms, from_s and until_s are not below 0")
        if not 500 <= self.status <= 599:
            raise ValueError("status is a server error's, from 500 to 599")


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults, written as `[[fault]]` tables; of two that fit the same request the first strikes."""

    seed: int = 0
    fault: tuple[Fault, ...] = ()


class FaultTold(msgspec.Struct, frozen=True, kw_only=True):
    """A fault and how often it has struck."""

    fault: Fault
    struck: int


class Faults:
    """The scenario in force. `now_ns` is the chain's time."""

    def __init__(self) -> None:
        self.set(Scenario(), 0)

    def set(self, scenario: Scenario, now_ns: int | None) -> None:
        """Begins a scenario anew, or (None) lets it wait for `begin`; an empty one ends all faults."""
        self.scenario = scenario
        self._began_ns = now_ns
        self._random = random.Random(scenario.seed)  # noqa: S311 - to be repeated, not to be secret
        self._met = [0] * len(scenario.fault)
        self._struck = [0] * len(scenario.fault)

    def begin(self, now_ns: int) -> None:
        """Begins a scenario that waits; one in force goes on."""
        if self._began_ns is None:
            self._began_ns = now_ns

    def told(self) -> list[FaultTold]:
        """Every fault of the scenario and how often it has struck."""
        return [
            FaultTold(fault=fault, struck=struck)
            for fault, struck in zip(self.scenario.fault, self._struck, strict=True)
        ]

    def strike(self, kinds: Sequence[FaultKind], methods: Sequence[str], now_ns: int, *, key: str = "") -> Fault | None:
        """The fault that strikes a request of these methods, if one does.

        What is decided by `key`, a transaction's signature, is decided alike each time it is asked for.
        """
        for place, fault in enumerate(self.scenario.fault):
            if fault.kind in kinds and self._fits(fault, methods, now_ns) and self._falls(place, fault, key):
                self._struck[place] += 1
                return fault
        return None

    def pick(self, count: int) -> int:
        """One of `count` shapes of a fault."""
        return self._random.randrange(count)

    def _fits(self, fault: Fault, methods: Sequence[str], now_ns: int) -> bool:
        if self._began_ns is None:
            return False
        age_ns = now_ns - self._began_ns
        is_on = age_ns >= fault.from_s * NS_PER_S and (not fault.until_s or age_ns < fault.until_s * NS_PER_S)
        return is_on and (not fault.method or fault.method in methods)

    def _falls(self, place: int, fault: Fault, key: str) -> bool:
        self._met[place] += 1
        if self._met[place] <= fault.after or (fault.count and self._struck[place] >= fault.count):
            return False
        if key and (fault.every_copy or fault.kind == "truncated-logs"):
            text = f"{self.scenario.seed} {place} {key}".encode()
            return int.from_bytes(hashlib.sha256(text).digest()[:8]) < fault.share * _SHARES
        return fault.share >= 1 or self._random.random() < fault.share


def read_scenario(path: Path) -> Scenario:
    """A scenario from a TOML file. Raises GridkeeperError BAD_FILE, BAD_VALUE."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Scenario)
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="scenario", value=path) from error
    except msgspec.DecodeError as error:
        raise GridkeeperError("BAD_VALUE", field="scenario", value=path, detail=str(error)) from error
