"""Makes a venue from plain settings, so that nobody outside of this library handles keys or addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.agent_client import open_signer
from gridkeeper_drift.http import httpx
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.sender import PriorityFee
from gridkeeper_drift.venue import Account, DriftVenue

_FEE = re.compile(r"(?:(?P<fixed>\d{1,9})|recent:(?P<cap>\d{1,9}))")
REQUESTS_PER_S = 50


class AccountConfig(NamedTuple):
    """A sub-account as a user names it: authority in base58, signer as `file:/path` or `agent:/path`.

    `owner_key` allows the signer to be the owner itself, which may also withdraw.
    """

    alias: str
    authority: str
    sub_account_id: int
    signer: str
    owner_key: bool = False


def drift_venue(
    rpc_url: str,
    accounts: Iterable[AccountConfig],
    *,
    second_url: str = "",
    requests_per_s: int = REQUESTS_PER_S,
    priority_fee: str = "0",
    lookup_tables: Iterable[str] = (),
    ages_by_slot: bool = True,
    transport: httpx.AsyncBaseTransport | None = None,
) -> DriftVenue:
    """The venue behind one endpoint (or two); to be used as an async context manager.

    `priority_fee` is as in `parse_priority_fee`; `transport` stands for the network where a test has its own.
    Raises GridkeeperError BAD_VALUE, BAD_FILE, SIGNER_UNSAFE, SIGNER_IS_OWNER, SIGNER_AWAY.
    """
    rpc = RpcClient(
        rpc_url, second_url=second_url, per_second=requests_per_s, commitment="confirmed", transport=transport
    )
    return DriftVenue(
        rpc,
        [check_account(config) for config in accounts],
        priority_fee=parse_priority_fee(priority_fee),
        lookup_tables=list(lookup_tables),
        ages_by_slot=ages_by_slot,
    )


def parse_priority_fee(text: str) -> PriorityFee:
    """`1000` (micro-lamports per compute unit), or `recent:50000`: what others paid lately, at most that.

    Raises BAD_VALUE.
    """
    found = _FEE.fullmatch(text)
    if found is None:
        raise GridkeeperError("BAD_VALUE", field="priority_fee", value=text, expected="1000 or recent:50000")
    return PriorityFee(cap=int(found["cap"])) if found["cap"] else PriorityFee(fixed=int(found["fixed"]))


def parse_address(text: str, field: str) -> Pubkey:
    """A base58 address. Raises BAD_VALUE naming `field`."""
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise GridkeeperError("BAD_VALUE", field=field, value=text, expected="a base58 address") from error


def check_account(config: AccountConfig) -> Account:
    """The account with its signer open. Raises as `drift_venue` does."""
    authority = parse_address(config.authority, f"accounts.{config.alias}.authority")
    signer = open_signer(config.signer)
    if signer.public_key == authority and not config.owner_key:
        raise GridkeeperError("SIGNER_IS_OWNER", field=f"accounts.{config.alias}.signer", value=signer.public_key)
    return Account(config.alias, authority, config.sub_account_id, signer)
