"""Reads `gridkeeper.toml`: accounts, where prices come from, and whom to tell."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import MARKET_PATTERN, check_id

SYNTHETIC = "synthetic"
REPLAY = "replay:"
LATER_SOURCES = ("pyth", "drift")
SOURCES = "synthetic or replay:FILE"
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")
_MISSING_FIELD = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")


class AccountEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[accounts.NAME]`: one sub-account. An empty `rpc` is the sandbox that `up` starts."""

    venue: str = "drift"
    rpc: str = ""
    authority: str
    sub_account: int = 0
    signer: str


class NotifyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notify]`: where messages go besides the terminal. The URL may hold a token."""

    webhook: str = ""

    def __repr__(self) -> str:
        return "NotifyEntry(…)"


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `feeds`: market -> `synthetic` or `replay:FILE`."""

    accounts: dict[str, AccountEntry]
    feeds: dict[str, str]
    notify: NotifyEntry = NotifyEntry()


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
        check_id(alias, "accounts")
        if account.venue != "drift":
            raise GridkeeperError("BAD_VALUE", field=f"accounts.{alias}.venue", value=account.venue, expected="drift")
    if not configuration.accounts or not configuration.feeds:
        missing = "feeds" if configuration.accounts else "accounts"
        raise GridkeeperError("MISSING_KEY", field=missing, expected="at least one entry")
    feeds = {market: check_feed(market, source, path.parent) for market, source in configuration.feeds.items()}
    return msgspec.structs.replace(configuration, feeds=feeds)


def check_feed(market: str, source: str, folder: Path) -> str:
    """The source with absolute file names (relative ones start at `folder`).

    Raises GridkeeperError BAD_VALUE for what is no source, BAD_FILE where a recorded file is not there.
    """
    if not MARKET_PATTERN.fullmatch(market):
        raise GridkeeperError("BAD_VALUE", field="feeds", value=market, expected="a market such as SOL-PERP")
    if source in LATER_SOURCES:
        detail = f"Live prices from {source} are not in this release."
        raise GridkeeperError("BAD_VALUE", field=f"feeds.{market}", value=source, expected=SOURCES, detail=detail)
    if source == SYNTHETIC:
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


def _wrong(path: Path, sentence: str) -> GridkeeperError:
    place = _PLACE.search(sentence)
    where = place["path"].removeprefix("$").removeprefix(".") if place else ""
    for code, pattern in (("UNKNOWN_KEY", _UNKNOWN_FIELD), ("MISSING_KEY", _MISSING_FIELD)):
        if found := pattern.search(sentence):
            field = f"{where}.{found['name']}" if where else found["name"]
            return GridkeeperError(code, field=field, detail=f"{path}: {sentence}")
    return GridkeeperError("BAD_VALUE", field=where or str(path), detail=f"{path}: {sentence}")
