"""Reads `gridkeeper.toml`: accounts, where prices come from, and whom to tell."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from gridkeeper_core.alerts.policy import Route
from gridkeeper_core.alerts.policy_words import PolicyWords
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import MARKET_PATTERN, check_id
from gridkeeper_core.units import E6, parse_scaled

SYNTHETIC = "synthetic"
REPLAY = "replay:"
PYTH = "pyth"
DRIFT = "drift"
LIVE_SOURCES = (PYTH, DRIFT)
SOURCES = "synthetic, pyth, drift or replay:FILE"
Profile = Literal["demo", "paper", "drift"]
SUB_ACCOUNT_MAX = 65_535
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")
_MISSING_FIELD = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")


class AccountEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[accounts.NAME]`: one sub-account. An empty `rpc` is the sandbox that `up` starts.

    `rpc2` is asked where `rpc` is away, and before a difference is believed; `rate_limit` is requests per second to
    each (0: as suits the profile). `signer` is `file:PATH` (mode 0600) or `agent:PATH` of a socket, where a relative
    path starts at the folder of the file; that it may be the owner's own key has to be allowed by `owner_key`.
    `priority_fee`: micro-lamports per compute unit, or `recent:<cap>`. `lookup_tables`: addresses of tables that make
    transactions smaller. The last four are decimal text, "" for none.
    """

    venue: str = "drift"
    rpc: str = ""
    rpc2: str = ""
    authority: str
    sub_account: int = 0
    signer: str
    owner_key: bool = False
    priority_fee: str = "0"
    lookup_tables: tuple[str, ...] = ()
    rate_limit: int = 0
    settle_above: str = ""
    max_gross: str = ""
    max_per_market: str = ""
    max_collateral_share: str = ""

    @property
    def may_be_owner(self) -> bool:
        """Whether the signer may be the owner's own key: where it is said so, and on the sandbox's play money."""
        return self.owner_key or not self.rpc

    def __repr__(self) -> str:
        # An endpoint's URL may hold a token.
        return f"AccountEntry({self.authority}, {self.sub_account})"


class PricesEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[prices]`: where live prices are read. `hermes` is Pyth's server; `rpc` (default: the accounts') has oracles.

    `pyth_ids` names Pyth's feed of a market that is not known: market -> 64 hexadecimal digits.
    """

    hermes: str = ""
    rpc: str = ""
    pyth_ids: dict[str, str] = {}


class SandboxEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[sandbox]`: how the sandbox that `up` starts fills orders, and what goes wrong there (`scenario`: a file)."""

    fill_model: Literal["through", "queue", "touch"] = "through"
    queue_ahead_e4: int = 0
    spread_bps: int = 0
    scenario: str = ""


class NotifyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notify]`: where messages go besides the terminal, and when. URLs may hold tokens, and are never shown.

    `channels`: name -> URL as Apprise knows it. `alerts_port`: where Alertmanager is listened to (0 = nowhere). The
    other settings are explained at the notifier's `PolicyWords`.
    """

    webhook: str = ""
    channels: dict[str, str] = {}
    alerts_port: int = 0
    alertmanager_silent_s: int = 0
    routes: tuple[Route, ...] = ()
    quiet_hours: str = ""
    heartbeat: str = ""
    utc_offset: str = "+00:00"
    burst: int = 3
    period_s: int = 300
    digest_every_s: int = 600

    def __repr__(self) -> str:
        return "NotifyEntry(…)"

    def policy_words(self) -> PolicyWords:
        """Routes, times and limits."""
        return msgspec.convert(self, PolicyWords, from_attributes=True)

    def channel_names(self) -> tuple[str, ...]:
        """The terminal, the webhook where there is one, and each channel."""
        return ("terminal", *(("webhook",) if self.webhook else ()), *self.channels)


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `feeds`: market -> `synthetic`, `pyth`, `drift` or `replay:FILE`."""

    accounts: dict[str, AccountEntry]
    feeds: dict[str, str]
    notify: NotifyEntry = NotifyEntry()
    prices: PricesEntry = PricesEntry()
    sandbox: SandboxEntry = SandboxEntry()


def read_configuration(path: Path) -> Configuration:
    """The settings in the file. Raises GridkeeperError BAD_FILE, BAD_TOML, UNKNOWN_KEY, MISSING_KEY, BAD_VALUE."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GridkeeperError("BAD_FILE", field="config", value=path, detail=str(error)) from error
    return parse_configuration(text, path)


def parse_configuration(text: str, path: Path) -> Configuration:
    """The settings in a text; `path` says where relative file names start and is named in errors."""
    try:
        configuration = msgspec.convert(tomllib.loads(text), Configuration)
    except tomllib.TOMLDecodeError as error:
        raise GridkeeperError("BAD_TOML", field=str(path), detail=str(error)) from error
    except msgspec.ValidationError as error:
        raise _wrong(path, str(error)) from error
    for alias, account in configuration.accounts.items():
        _check_account(alias, account)
    if not configuration.accounts or not configuration.feeds:
        missing = "feeds" if configuration.accounts else "accounts"
        raise GridkeeperError("MISSING_KEY", field=missing, expected="at least one entry")
    _check_notify(configuration.notify)
    feeds = {market: check_feed(market, source, path.parent) for market, source in configuration.feeds.items()}
    accounts = {alias: _with_signer_from(path.parent, account) for alias, account in configuration.accounts.items()}
    return msgspec.structs.replace(configuration, accounts=accounts, feeds=feeds)


def _with_signer_from(folder: Path, account: AccountEntry) -> AccountEntry:
    kind, _, place = account.signer.partition(":")
    return msgspec.structs.replace(account, signer=f"{kind}:{(folder / Path(place).expanduser()).absolute()}")


def _check_notify(entry: NotifyEntry) -> None:
    for name in entry.channels:
        if name in ("terminal", "webhook"):
            raise GridkeeperError("BAD_VALUE", field="notify.channels", value=name, expected="a name of your own")
    try:
        entry.policy_words().policy(entry.channel_names())
    except ValueError as error:
        raise GridkeeperError("BAD_VALUE", field="notify", detail=f"[notify]: {error}.") from error


def check_feed(market: str, source: str, folder: Path) -> str:
    """The source with absolute file names (relative ones start at `folder`).

    Raises GridkeeperError BAD_VALUE for what is no source, BAD_FILE where a recorded file is not there.
    """
    if not MARKET_PATTERN.fullmatch(market):
        raise GridkeeperError("BAD_VALUE", field="feeds", value=market, expected="a market such as SOL-PERP")
    if source == SYNTHETIC or source in LIVE_SOURCES:
        return source
    if not source.startswith(REPLAY) or not source.removeprefix(REPLAY):
        raise GridkeeperError("BAD_VALUE", field=f"feeds.{market}", value=source, expected=SOURCES)
    files = [(folder / Path(name).expanduser()).absolute() for name in source.removeprefix(REPLAY).split(",")]
    for file in files:
        if not file.is_file():
            raise GridkeeperError("BAD_FILE", field=f"feeds.{market}", value=file, expected="a file of recorded prices")
    return REPLAY + ",".join(str(file) for file in files)


def replayed_files(source: str) -> list[Path]:
    """The recorded files of a source; empty for a synthetic one."""
    return [Path(name) for name in source.removeprefix(REPLAY).split(",")] if source.startswith(REPLAY) else []


def check_profile(configuration: Configuration, profile: Profile) -> None:
    """Raises GridkeeperError BAD_VALUE where the file does not suit the profile.

    Demo and paper trade on the sandbox only, drift on one endpoint that the file names and at live prices.
    """
    for alias, account in configuration.accounts.items():
        on_sandbox = not account.rpc
        if on_sandbox == (profile == "drift"):
            expected = "the URL of an endpoint" if on_sandbox else 'rpc = "" (the sandbox)'
            detail = f"The profile {profile} trades on {'an endpoint' if on_sandbox else 'its own sandbox only'}."
            raise GridkeeperError("BAD_VALUE", field=f"accounts.{alias}.rpc", expected=expected, detail=detail)
    first_alias, first = next(iter(configuration.accounts.items()))
    for alias, account in configuration.accounts.items():
        for name in ("rpc", "rpc2", "priority_fee", "lookup_tables", "rate_limit"):
            if getattr(account, name) != getattr(first, name):
                raise GridkeeperError(
                    "BAD_VALUE",
                    field=f"accounts.{alias}.{name}",
                    expected=f"as in accounts.{first_alias}",
                    detail="All accounts of one Gridkeeper use one endpoint in one way.",
                    do="Run another Gridkeeper with another --data-dir for another endpoint.",
                )
    for market, source in configuration.feeds.items():
        if profile == "drift" and source == SYNTHETIC:
            raise GridkeeperError("BAD_VALUE", field=f"feeds.{market}", value=source, expected="pyth or drift")
        if profile != "drift" and source == DRIFT and not configuration.prices.rpc:
            raise GridkeeperError(
                "MISSING_KEY", field="prices.rpc", detail="The sandbox has no prices of its own.",
                do="Name an endpoint with Drift's oracles: [prices] rpc = \"https://…\".",
            )  # fmt: skip


def _check_account(alias: str, account: AccountEntry) -> None:
    field = f"accounts.{alias}"
    check_id(alias, "accounts")
    if account.venue != "drift":
        raise GridkeeperError("BAD_VALUE", field=f"{field}.venue", value=account.venue, expected="drift")
    if not account.signer.startswith(("file:", "agent:")):
        raise GridkeeperError("BAD_VALUE", field=f"{field}.signer", expected="file:PATH or agent:PATH")
    for name in ("rpc", "rpc2"):
        url = getattr(account, name)
        if url and not url.startswith(("http://", "https://")):
            raise GridkeeperError("BAD_VALUE", field=f"{field}.{name}", expected="a URL with http:// or https://")
    if not 0 <= account.sub_account <= SUB_ACCOUNT_MAX:
        expected = f"0 to {SUB_ACCOUNT_MAX}"
        raise GridkeeperError("BAD_VALUE", field=f"{field}.sub_account", value=account.sub_account, expected=expected)
    if account.rate_limit < 0:
        raise GridkeeperError("BAD_VALUE", field=f"{field}.rate_limit", value=account.rate_limit, expected="0 or more")
    for name in ("settle_above", "max_gross", "max_per_market", "max_collateral_share"):
        if text := getattr(account, name):
            parse_scaled(text, E6, f"{field}.{name}")


def _wrong(path: Path, sentence: str) -> GridkeeperError:
    place = _PLACE.search(sentence)
    where = place["path"].removeprefix("$").removeprefix(".") if place else ""
    for code, pattern in (("UNKNOWN_KEY", _UNKNOWN_FIELD), ("MISSING_KEY", _MISSING_FIELD)):
        if found := pattern.search(sentence):
            field = f"{where}.{found['name']}" if where else found["name"]
            return GridkeeperError(code, field=field, detail=f"{path}: {sentence}")
    return GridkeeperError("BAD_VALUE", field=where or str(path), detail=f"{path}: {sentence}")
