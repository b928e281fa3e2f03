"""The settings of execution, from variables that begin with `GRIDKEEPER_EXECUTION_`."""

from __future__ import annotations

import msgspec

from gridkeeper_core.names import check_id
from gridkeeper_shell.settings import ShellSettings

PREFIX = "GRIDKEEPER_EXECUTION_"
SERVICE = "execution"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sub-account: whose it is (base58), which one, and the key that signs (`file:/path`, mode 0600)."""

    authority: str
    signer: str
    sub_account: int = 0


class ExecutionSettings(ShellSettings, frozen=True, kw_only=True):
    """`accounts` is a JSON object: alias -> `AccountSettings`; `markets` are the symbols to trade, with commas.

    `poll_ms` is how often the accounts are read, `reconcile_s` how often record and venue are compared. `on_request`:
    the chain is read only when asked (a tape in lockstep).
    """

    rpc_url: str
    accounts: str
    markets: str = "SOL-PERP"
    poll_ms: int = 1_000
    reconcile_s: int = 60
    requests_per_s: int = 200
    on_request: bool = False

    def __post_init__(self) -> None:
        self.account_settings()

    def account_settings(self) -> dict[str, AccountSettings]:
        """Alias -> account. Raises ValueError when `accounts` cannot be read, GridkeeperError BAD_ID."""
        accounts = msgspec.json.decode(self.accounts, type=dict[str, AccountSettings])
        for alias in accounts:
            check_id(alias, "accounts")
        return accounts

    def symbols(self) -> list[str]:
        """The markets to trade."""
        return [symbol.strip() for symbol in self.markets.split(",") if symbol.strip()]
