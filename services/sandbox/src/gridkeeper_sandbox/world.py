"""Everything on the sandbox's chain that a transaction can change: wallets, token accounts, sub-accounts, the venue."""

from __future__ import annotations

import hashlib

import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.state import VenueState
from gridkeeper_drift.codecs import addresses

QUOTE_MINT = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")


class TokenAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that holds the quote asset (1e-6)."""

    owner: Pubkey
    amount_e6: int


class SubAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A User account as far as the venue's model does not know it."""

    authority: Pubkey
    sub_account_id: int
    name: bytes
    delegate: Pubkey


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The whole world at one moment."""

    venue: VenueState
    lamports: dict[Pubkey, int]
    tokens: dict[Pubkey, TokenAccount]
    users: dict[Pubkey, SubAccount]
    created: dict[Pubkey, int]


class World:
    """The state programs work on. `mark` and `rewind` make a transaction atomic."""

    def __init__(self, venue: VenueModel, max_sub_accounts: int = 0) -> None:
        self.venue = venue
        self.max_sub_accounts = max_sub_accounts
        self.lamports: dict[Pubkey, int] = {}
        self.tokens: dict[Pubkey, TokenAccount] = {}
        self.users: dict[Pubkey, SubAccount] = {}
        self.created: dict[Pubkey, int] = {}
        """How many sub-accounts an authority has created; it has a UserStats account from the start on."""

    def mark(self) -> Mark:
        """The world as of now."""
        return Mark(
            venue=self.venue.mark(),
            lamports=dict(self.lamports),
            tokens=dict(self.tokens),
            users=dict(self.users),
            created=dict(self.created),
        )

    def rewind(self, mark: Mark) -> None:
        """Back to a mark."""
        self.venue.rewind(mark.venue)
        self.lamports = dict(mark.lamports)
        self.tokens = dict(mark.tokens)
        self.users = dict(mark.users)
        self.created = dict(mark.created)

    def add_lamports(self, wallet: Pubkey, lamports: int) -> None:
        """Gives (or takes) SOL."""
        self.lamports[wallet] = self.lamports.get(wallet, 0) + lamports

    def add_tokens(self, account: Pubkey, owner: Pubkey, amount_e6: int) -> None:
        """Gives (or takes) the quote asset."""
        held = self.tokens.get(account)
        before = 0 if held is None else held.amount_e6
        self.tokens[account] = TokenAccount(owner=owner, amount_e6=before + amount_e6)

    def fund(self, authority: Pubkey, lamports: int, quote_e6: int) -> Pubkey:
        """The faucet: SOL for a wallet and the quote asset in its associated token account, which it names."""
        account = addresses.token_account_address(authority, QUOTE_MINT)
        self.add_lamports(authority, lamports)
        self.add_tokens(account, authority, quote_e6)
        return account


def well_known(name: str) -> Pubkey:
    """The address of an account the sandbox makes up, always the same for the same name."""
    return _keypair(name).pubkey()


def keeper() -> Keypair:
    """Who signs what keepers do; its key is no secret."""
    return _keypair("keeper")


def faucet() -> Keypair:
    """Who signs what the faucet gives; its key is no secret either."""
    return _keypair("faucet")


def _keypair(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"gridkeeper sandbox {name}".encode()).digest())
