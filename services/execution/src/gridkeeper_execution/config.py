"""The settings of execution, from variables that begin with `GRIDKEEPER_EXECUTION_`."""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import LimitsSet
from gridkeeper_core.names import check_id
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.units import E4, E6, parse_scaled
from gridkeeper_runtime.settings import Secret
from gridkeeper_shell.settings import ShellSettings

PREFIX = "GRIDKEEPER_EXECUTION_"
SERVICE = "execution"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sub-account: whose it is (base58), which one, and what signs: `file:/path` (0600), `agent:/path`.

    `owner_key` allows the signer to be the owner's own key. The others are decimal text in the quote asset, "" for
    none: `settle_above` (settle by itself above so much profit), `max_gross` and `max_per_market` (of what positions
    could come to); `max_collateral_share` is a share such as "0.5".
    """

    authority: str
    signer: str
    sub_account: int = 0
    owner_key: bool = False
    settle_above: str = ""
    max_gross: str = ""
    max_per_market: str = ""
    max_collateral_share: str = ""


class ExecutionSettings(ShellSettings, frozen=True, kw_only=True):
    """`accounts` is a JSON object: alias -> `AccountSettings`; `markets` are the symbols to trade, with commas.

    `poll_ms` is how often the accounts are read, `reconcile_s` how often record and venue are compared. `on_request`:
    the chain is read only when asked (a tape in lockstep). `rpc2_url` is asked where `rpc_url` is away, and before a
    difference is believed. `requests_per_s` holds for each of them. `priority_fee`: micro-lamports per compute unit, or
    `recent:<cap>`. `lookup_tables`: addresses, with commas.
    """

    rpc_url: Secret
    rpc2_url: Secret = ""
    accounts: Secret
    markets: str = "SOL-PERP"
    poll_ms: int = 1_000
    reconcile_s: int = 60
    requests_per_s: int = 200
    priority_fee: str = "0"
    lookup_tables: str = ""
    on_request: bool = False

    def __post_init__(self) -> None:
        self.account_settings()

    def account_settings(self) -> dict[str, AccountSettings]:
        """Alias -> account. Raises ValueError when `accounts` cannot be read, GridkeeperError BAD_ID."""
        accounts = msgspec.json.decode(self.accounts, type=dict[str, AccountSettings])
        for alias in accounts:
            check_id(alias, "accounts")
        return accounts

    def account_rules(self) -> dict[str, AccountRules]:
        """Alias -> what execution may do there. A tape has no clock but its own, and its wallets are play money."""
        return {
            alias: AccountRules(
                limits=_limits(account),
                settle_above_e6=_e6(account.settle_above, "settle_above"),
                watches_sol=not self.is_tape,
                watches_clock=not self.is_tape,
            )
            for alias, account in self.account_settings().items()
        }

    def symbols(self) -> list[str]:
        """The markets to trade."""
        return [symbol.strip() for symbol in self.markets.split(",") if symbol.strip()]


def _limits(account: AccountSettings) -> LimitsSet:
    share = account.max_collateral_share
    return LimitsSet(
        max_gross_e6=_e6(account.max_gross, "max_gross"),
        max_per_market_e6=_e6(account.max_per_market, "max_per_market"),
        max_collateral_share_e4=parse_scaled(share, E4, "max_collateral_share") if share else None,
    )


def _e6(text: str, field: str) -> int | None:
    return parse_scaled(text, E6, field) if text else None
