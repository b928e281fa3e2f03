"""From `gridkeeper.toml` to accounts that can be acted on without any service: endpoint, signer, owner's key."""

from __future__ import annotations

from pathlib import Path

from gridkeeper_cli.demo import CONFIG_FILE
from gridkeeper_cli.gridkeeper_toml import AccountEntry, Configuration, read_configuration
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.opening import AccountConfig, check_account, drift_venue, parse_address
from gridkeeper_drift.venue import DriftVenue
from gridkeeper_runtime.datadir import read_run_file

REQUESTS_PER_S = 10


def read_account(data_dir: Path, config: Path | None, alias: str) -> AccountEntry:
    """One account of the configuration. Raises ACCOUNT_UNKNOWN, and as `read_configuration` does."""
    accounts = read_configuration(config or data_dir / CONFIG_FILE).accounts
    if alias not in accounts:
        raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=alias, expected=" or ".join(accounts))
    return accounts[alias]


def venue_of(data_dir: Path, alias: str, entry: AccountEntry, *, owner_key: Path | None = None) -> DriftVenue:
    """The venue behind the account's endpoint, to be used as an async context manager; the owner signs where given.

    Needs neither NATS nor PostgreSQL: of a sandbox that `up` started, the URL is in run.json.
    """
    signer = entry.signer if owner_key is None else f"file:{owner_key.expanduser()}"
    allowed = entry.may_be_owner or owner_key is not None
    account = AccountConfig(alias, entry.authority, entry.sub_account, signer, allowed)
    return drift_venue(
        entry.rpc or read_run_file(data_dir).rpc_url,
        [account],
        second_url=entry.rpc2,
        requests_per_s=entry.rate_limit or REQUESTS_PER_S,
        priority_fee=entry.priority_fee,
    )


def check_signers(configuration: Configuration) -> None:
    """Opens every account's signer once: what is wrong with it is said before anything starts.

    Raises GridkeeperError BAD_VALUE, BAD_FILE, SIGNER_UNSAFE, SIGNER_IS_OWNER, SIGNER_AWAY.
    """
    for alias, entry in configuration.accounts.items():
        check_account(AccountConfig(alias, entry.authority, entry.sub_account, entry.signer, entry.may_be_owner))
        for table in entry.lookup_tables:
            parse_address(table, f"accounts.{alias}.lookup_tables")
