"""Any instruction of the program as plain data, with its accounts by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_drift.codecs.addresses import PROGRAM_ID
from gridkeeper_drift.codecs.idl import CodecError, instruction_accounts, instructions


class ParsedInstruction(NamedTuple):
    """An instruction of the program as plain data: arguments and named accounts, the others in `remaining`."""

    name: str
    arguments: dict[str, Any]
    accounts: dict[str, Pubkey]
    remaining: tuple[Pubkey, ...]


def parse_instruction(program_id: Pubkey, data: bytes, keys: Sequence[Pubkey]) -> ParsedInstruction | None:
    """An instruction with its account keys resolved; None where it is of another program.

    Raises CodecError where the program has no such instruction or the data does not fit it.
    """
    if program_id != PROGRAM_ID:
        return None
    named = instructions().decode(data)
    if named is None:
        raise CodecError("the program has no instruction with this discriminator")
    names = [name for name, _, _ in instruction_accounts(named.name)]
    if len(keys) < len(names):
        raise CodecError(f"{named.name} names {len(names)} accounts, was given {len(keys)}")
    return ParsedInstruction(named.name, named.value, dict(zip(names, keys, strict=False)), tuple(keys[len(names) :]))
