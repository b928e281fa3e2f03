"""Puts what the faucet gave into a transaction of its own, as an airdrop on the chain is one."""

from __future__ import annotations

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from gridkeeper_drift.codecs import addresses
from gridkeeper_sandbox.world import QUOTE_MINT, faucet

FAUCET_LAMPORTS = 5 * 10**17
"""What the faucet always has."""
_MINT_TO = 7


def faucet_transaction(wallet: Pubkey, lamports: int, quote_e6: int, blockhash: Hash) -> VersionedTransaction | None:
    """A transfer of SOL and freshly minted quote asset; None where nothing is given."""
    giver = faucet()
    parts: list[Instruction] = []
    if lamports:
        parts.append(transfer(TransferParams(from_pubkey=giver.pubkey(), to_pubkey=wallet, lamports=lamports)))
    if quote_e6:
        account = addresses.token_account_address(wallet, QUOTE_MINT)
        metas = [AccountMeta(QUOTE_MINT, False, True), AccountMeta(account, False, True)]
        metas.append(AccountMeta(giver.pubkey(), True, False))
        parts.append(Instruction(addresses.TOKEN_PROGRAM_ID, bytes([_MINT_TO]) + quote_e6.to_bytes(8, "little"), metas))
    if not parts:
        return None
    return VersionedTransaction(MessageV0.try_compile(giver.pubkey(), parts, [], blockhash), [giver])
