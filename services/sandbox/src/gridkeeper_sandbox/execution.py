"""Runs a transaction: signatures, blockhash, fee, its instructions one by one, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from solders.compute_budget import ID as COMPUTE_BUDGET_ID
from solders.instruction import CompiledInstruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.units import div_ceil
from gridkeeper_drift.codecs.addresses import PROGRAM_ID
from gridkeeper_drift.codecs.idl import CodecError
from gridkeeper_drift.codecs.parsing import parse_instruction
from gridkeeper_sandbox.chain import Chain
from gridkeeper_sandbox.program import Program, ProgramError
from gridkeeper_sandbox.world import World

LAMPORTS_PER_SIGNATURE = 5000
LOG_LIMIT_BYTES = 10_000
_DEFAULT_UNITS = 200_000
_UNITS_MAX = 1_400_000
_SET_UNIT_LIMIT, _SET_UNIT_PRICE = 2, 3
_UNITS_PER_INSTRUCTION, _UNITS_PER_EVENT_LINE = 20_000, 6_000
_DID_NOT_DESERIALIZE = 102


class NotRunError(Exception):
    """A transaction that cannot land as it is; `error` is the chain's word for it."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Loaded(NamedTuple):
    """A transaction with every account it names: its own first, then those its lookup tables gave."""

    transaction: VersionedTransaction
    keys: tuple[Pubkey, ...]
    loaded_writable: int
    loaded_readonly: int

    @property
    def signature(self) -> str:
        """By which it is known."""
        return str(self.transaction.signatures[0])

    @property
    def fee_payer(self) -> Pubkey:
        """The first account pays."""
        return self.keys[0]


class Ran(NamedTuple):
    """What running it led to. `error` is the chain's JSON for it, None for success; an error leaves the fee paid."""

    error: Any
    logs: tuple[str, ...]
    units: int


def load(transaction: VersionedTransaction, tables: dict[Pubkey, Sequence[Pubkey]]) -> Loaded:
    """Resolves its lookup tables. Raises NotRunError for one that does not exist or is too short."""
    message = transaction.message
    lookups = message.address_table_lookups if isinstance(message, MessageV0) else []
    writable: list[Pubkey] = []
    readonly: list[Pubkey] = []
    for lookup in lookups:
        table = tables.get(lookup.account_key)
        if table is None:
            raise NotRunError("AddressLookupTableNotFound")
        if any(index >= len(table) for index in (*lookup.writable_indexes, *lookup.readonly_indexes)):
            raise NotRunError("InvalidAddressLookupTableIndex")
        writable += [table[index] for index in lookup.writable_indexes]
        readonly += [table[index] for index in lookup.readonly_indexes]
    keys = (*message.account_keys, *writable, *readonly)
    return Loaded(transaction, keys, len(writable), len(readonly))


def check(loaded: Loaded, chain: Chain, world: World) -> None:
    """Raises NotRunError where it cannot land: bad blockhash, or nobody who could pay its fee."""
    if not chain.is_recent(loaded.transaction.message.recent_blockhash, world.venue.now_ns):
        raise NotRunError("BlockhashNotFound")
    if loaded.fee_payer not in world.lamports:
        raise NotRunError("AccountNotFound")
    if world.lamports[loaded.fee_payer] < fee_lamports(loaded.transaction):
        raise NotRunError("InsufficientFundsForFee")


def fee_lamports(transaction: VersionedTransaction) -> int:
    """What it costs to land: the fee for each signature, and the priority fee it offers."""
    limit, price = None, 0
    for data in _budget_instructions(transaction):
        if data[0] == _SET_UNIT_LIMIT:
            limit = int.from_bytes(data[1:5], "little")
        elif data[0] == _SET_UNIT_PRICE:
            price = int.from_bytes(data[1:9], "little")
    if limit is None:
        programs = len(transaction.message.instructions) - len(_budget_instructions(transaction))
        limit = min(_UNITS_MAX, _DEFAULT_UNITS * programs)
    return LAMPORTS_PER_SIGNATURE * len(transaction.signatures) + div_ceil(price * limit, 10**6)


def run(loaded: Loaded, world: World) -> Ran:
    """Executes its instructions; an error rewinds the world to where it was."""
    program = Program(world)
    signers = loaded.keys[: loaded.transaction.message.header.num_required_signatures]
    mark = world.mark()
    logs: list[str] = []
    units = 0
    for place, instruction in enumerate(loaded.transaction.message.instructions):
        name = loaded.keys[instruction.program_id_index]
        logs.append(f"Program {name} invoke [1]")
        try:
            lines = _execute(program, name, instruction, loaded, signers)
        except ProgramError as failure:
            world.rewind(mark)
            logs += [failure.log] if failure.log else []
            logs.append(f"Program {name} failed: {_reason(failure.error)}")
            return Ran({"InstructionError": [place, failure.error]}, truncated(logs), units)
        units += _UNITS_PER_INSTRUCTION + _UNITS_PER_EVENT_LINE * len(lines)
        logs += [*lines, f"Program {name} success"]
    return Ran(None, truncated(logs), units)


def truncated(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines as far as the runtime keeps them."""
    size = 0
    for place, line in enumerate(lines):
        size += len(line)
        if size > LOG_LIMIT_BYTES:
            return (*lines[:place], "Log truncated")
    return tuple(lines)


def _execute(
    program: Program, name: Pubkey, instruction: CompiledInstruction, loaded: Loaded, signers: Sequence[Pubkey]
) -> list[str]:
    if name == COMPUTE_BUDGET_ID:
        return []
    if name != PROGRAM_ID:
        raise ProgramError("UnsupportedProgramId")
    keys = [loaded.keys[index] for index in instruction.accounts]
    try:
        parsed = parse_instruction(name, bytes(instruction.data), keys)
    except CodecError as error:
        raise ProgramError.custom(_DID_NOT_DESERIALIZE, str(error)) from error
    assert parsed is not None
    words = "".join(word.capitalize() for word in parsed.name.split("_"))
    return [f"Program log: Instruction: {words}", *program.execute(parsed, signers)]


def _budget_instructions(transaction: VersionedTransaction) -> list[bytes]:
    keys = transaction.message.account_keys
    return [
        bytes(instruction.data)
        for instruction in transaction.message.instructions
        if instruction.program_id_index < len(keys) and keys[instruction.program_id_index] == COMPUTE_BUDGET_ID
    ]


def _reason(error: Any) -> str:
    return f"custom program error: {error['Custom']:#x}" if isinstance(error, dict) else str(error)
