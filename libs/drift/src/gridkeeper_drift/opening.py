"""Makes a venue from plain settings, so that nobody outside of this library handles keys or addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.keys import load_signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.venue import Account, DriftVenue


class AccountConfig(NamedTuple):
    """A sub-account as a user names it: authority in base58, signer as `file:/path`."""

    alias: str
    authority: str
    sub_account_id: int
    signer: str


def drift_venue(
    rpc_url: str, accounts: Iterable[AccountConfig], *, requests_per_s: int = 50, ages_by_slot: bool = True
) -> DriftVenue:
    """The venue behind one endpoint; to be used as an async context manager.

    Raises GridkeeperError BAD_VALUE, BAD_FILE, SIGNER_UNSAFE.
    """
    rpc = RpcClient(rpc_url, per_second=requests_per_s, burst=requests_per_s, commitment="confirmed")
    return DriftVenue(rpc, [_account(config) for config in accounts], ages_by_slot=ages_by_slot)


def _account(config: AccountConfig) -> Account:
    try:
        authority = Pubkey.from_string(config.authority)
    except ValueError as error:
        field = f"accounts.{config.alias}.authority"
        raise GridkeeperError("BAD_VALUE", field=field, value=config.authority, expected="a base58 address") from error
    return Account(config.alias, authority, config.sub_account_id, load_signer(config.signer))
