"""How the chain and its endpoint say no, in words: what is definite, what is unknown, and the program's own error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.codecs.idl import error_name

_BUILT_IN = 6000
"""Anchor programs number their own errors from here."""


class RpcUnreachableError(GridkeeperError):
    """The endpoint gave no usable answer: whatever was asked may or may not have been done."""

    def __init__(self, method: str, detail: str) -> None:
        super().__init__("RPC_FAILED", field=method, detail=detail)


class RpcRefusedError(GridkeeperError):
    """The endpoint answered with a definite no; `custom_code` is the program's where a simulation failed."""

    def __init__(self, method: str, rpc_code: int, detail: str, custom_code: int | None = None) -> None:
        super().__init__("RPC_FAILED", field=method, value=rpc_code, detail=detail)
        self.rpc_code = rpc_code
        self.custom_code = custom_code


class CannotSignError(GridkeeperError):
    """Nothing can be signed now; it is worth trying again later."""


class BlockhashStaleError(CannotSignError):
    """There is no blockhash fresh enough to sign with."""

    def __init__(self) -> None:
        super().__init__("RPC_FAILED", detail="No recent blockhash is known, so nothing can be signed.")


class SignerAwayError(CannotSignError):
    """The signing agent did not answer."""

    def __init__(self, agent: object, detail: str) -> None:
        super().__init__("SIGNER_AWAY", field="signer", value=agent, detail=detail)


class SignerRefusedError(CannotSignError):
    """The signing agent does not sign this."""

    def __init__(self, agent: object, detail: str) -> None:
        super().__init__("SIGNER_REFUSED", field="signer", value=agent, detail=detail)


class TransactionTooLargeError(GridkeeperError):
    """The transaction would not fit into a packet; the roll must be split."""

    def __init__(self, size: int, allowed: int) -> None:
        super().__init__("TRANSACTION_TOO_LARGE", field="transaction", value=size, expected=f"at most {allowed} bytes")


class VenueRestingError(CannotSignError):
    """Our transactions failed on the chain one after the other: nothing but cancels is signed for a while."""

    def __init__(self, alias: str, detail: str) -> None:
        super().__init__("VENUE_REFUSED", field="account", value=alias, detail=detail)


_CODES = {
    6003: "MARGIN_SHORT",
    6010: "MARGIN_SHORT",
    6023: "VENUE_REFUSED",
    6024: "MARKET_CLOSED",
    6049: "SIZE_UNDER_MINIMUM",
    6056: "SIZE_UNDER_MINIMUM",
    6059: "SIZE_UNDER_MINIMUM",
    6060: "NO_FREE_SLOTS",
    6078: "MARKET_UNKNOWN",
    6147: "MARKET_CLOSED",
    6213: "MARKET_CLOSED",
    6214: "SUB_ACCOUNT_TAKEN",
    2003: "DELEGATE_MISSING",
    3012: "ACCOUNT_UNKNOWN",
}
"""The program's error codes (those under 6000 are Anchor's) in our own catalogue; all others are VENUE_REFUSED."""


def refusal(error: object, what: str) -> GridkeeperError:
    """A transaction error (its JSON) as an error of our catalogue; `what` was to be done."""
    code = custom_code(error)
    ours = _CODES.get(code, "VENUE_REFUSED") if code is not None else "VENUE_REFUSED"
    value = describe(error) if code is None else f"{code} {error_name(code)}"
    return GridkeeperError(ours, field=what, value=value, detail=f"The venue refused it: {describe(error)}.")


def custom_code(error: object) -> int | None:
    """The program's error code in a transaction error as JSON, `{"InstructionError": [i, {"Custom": code}]}`."""
    if not isinstance(error, Mapping):
        return None
    instruction = error.get("InstructionError")
    if not isinstance(instruction, list) or len(instruction) != 2 or not isinstance(instruction[1], Mapping):
        return None
    code = instruction[1].get("Custom")
    return code if isinstance(code, int) else None


def describe(error: object) -> str:
    """A transaction error in a word: the program's name of it, else what the runtime said; "" for none."""
    if error is None:
        return ""
    code = custom_code(error)
    if code is not None:
        return error_name(code) if code >= _BUILT_IN else f"Custom({code})"
    return error if isinstance(error, str) else _nested(error)


def _nested(error: Any) -> str:
    if isinstance(error, Mapping) and len(error) == 1:
        name, inner = next(iter(error.items()))
        if isinstance(inner, list) and len(inner) == 2:
            inner = inner[1]
        return inner if isinstance(inner, str) else str(name)
    return str(error)
