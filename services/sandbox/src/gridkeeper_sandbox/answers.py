"""The chain's answers in the shape of Solana's JSON-RPC: accounts, statuses, transactions."""

from __future__ import annotations

import base64
from typing import Any

from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_sandbox import base58
from gridkeeper_sandbox.accounts_view import AccountBytes
from gridkeeper_sandbox.chain import Commitment, Landed

_NEVER_PAYS_RENT = 2**64 - 1


def account(held: AccountBytes | None, options: dict[str, Any]) -> Any:
    """An account, its data in base 64 or, where base 58 is asked for, in that; `dataSlice` is heeded."""
    if held is None:
        return None
    data = held.data
    if part := options.get("dataSlice"):
        data = data[part["offset"] : part["offset"] + part["length"]]
    is_base58 = options.get("encoding") == "base58"
    return {
        "data": [base58.encode(data), "base58"] if is_base58 else [base64.b64encode(data).decode(), "base64"],
        "executable": False,
        "lamports": held.lamports,
        "owner": str(held.owner),
        "rentEpoch": _NEVER_PAYS_RENT,
        "space": len(held.data),
    }


def status(landed: Landed | None, commitment: Commitment, slot: int) -> Any:
    """One entry of getSignatureStatuses."""
    if landed is None:
        return None
    return {
        "slot": landed.slot,
        "confirmations": None if commitment == "finalized" else max(0, slot - landed.slot),
        "err": landed.error,
        "status": _status(landed),
        "confirmationStatus": commitment,
    }


def signature(landed: Landed, commitment: Commitment) -> Any:
    """One entry of getSignaturesForAddress."""
    return {
        "signature": landed.signature,
        "slot": landed.slot,
        "err": landed.error,
        "memo": None,
        "blockTime": landed.block_time_s,
        "confirmationStatus": commitment,
    }


def transaction(landed: Landed, encoding: str) -> Any:
    """The answer of getTransaction."""
    parsed = VersionedTransaction.from_bytes(landed.data)
    own = len(parsed.message.account_keys)
    loaded = landed.keys[own:]
    split = landed.loaded_writable
    return {
        "slot": landed.slot,
        "blockTime": landed.block_time_s,
        "version": 0 if isinstance(parsed.message, MessageV0) else "legacy",
        "transaction": _encoded(landed, parsed, encoding),
        "meta": {
            "err": landed.error,
            "status": _status(landed),
            "fee": landed.fee_lamports,
            "preBalances": [before for before, _ in landed.balances],
            "postBalances": [after for _, after in landed.balances],
            "innerInstructions": [],
            "logMessages": list(landed.logs),
            "preTokenBalances": [],
            "postTokenBalances": [],
            "rewards": [],
            "loadedAddresses": {"writable": list(loaded[:split]), "readonly": list(loaded[split:])},
            "computeUnitsConsumed": landed.units,
        },
    }


def _encoded(landed: Landed, parsed: VersionedTransaction, encoding: str) -> Any:
    if encoding == "base64":
        return [base64.b64encode(landed.data).decode(), "base64"]
    if encoding == "base58":
        return [base58.encode(landed.data), "base58"]
    message = parsed.message
    header = message.header
    body = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programIdIndex": instruction.program_id_index,
                "accounts": list(instruction.accounts),
                "data": base58.encode(bytes(instruction.data)),
                "stackHeight": None,
            }
            for instruction in message.instructions
        ],
    }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    return {"signatures": [str(signed) for signed in parsed.signatures], "message": body}


def matches(held: AccountBytes, filters: list[dict[str, Any]]) -> bool:
    """Whether an account passes the filters of getProgramAccounts. Raises ValueError for one that cannot be read."""
    return all(_passes(held.data, item) for item in filters)


def pubkey(text: str) -> Pubkey:
    """A public key. Raises ValueError."""
    return Pubkey.from_string(text)


def _passes(data: bytes, item: dict[str, Any]) -> bool:
    if "dataSize" in item:
        return len(data) == int(item["dataSize"])
    if "memcmp" not in item:
        raise ValueError(f"the filter {item} is not known")
    compared = item["memcmp"]
    text = compared["bytes"]
    wanted = base64.b64decode(text) if compared.get("encoding") == "base64" else base58.decode(text)
    offset = int(compared["offset"])
    return data[offset : offset + len(wanted)] == wanted


def _status(landed: Landed) -> Any:
    return {"Ok": None} if landed.error is None else {"Err": landed.error}
