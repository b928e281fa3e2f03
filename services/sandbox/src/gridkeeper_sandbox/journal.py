"""What was done to the chain, on disk before anyone is told, so that a killed sandbox loses nothing it said."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_runtime.files import make_private_directory, sync_directory
from gridkeeper_sandbox.administering import MarketChange

_JOURNAL = "journal.jsonl"
_PRICES = "prices.json"


class Submit(msgspec.Struct, frozen=True, tag="submit"):
    """A transaction that lands, with or without an error."""

    data: bytes


class Row(msgspec.Struct, frozen=True, tag="row"):
    """A row of a market that reached orders."""

    row: Price


class Keepers(msgspec.Struct, frozen=True, tag="keepers"):
    """Time alone made keepers act."""


class Fund(msgspec.Struct, frozen=True, tag="fund"):
    """The faucet gave."""

    wallet: str
    lamports: int
    quote_e6: int


class PayFunding(msgspec.Struct, frozen=True, tag="pay_funding"):
    """A market's funding rate was paid (1e-9 quote per base)."""

    symbol: str
    rate_e9: int


class SetMarket(msgspec.Struct, frozen=True, tag="set_market"):
    """The venue's admin changed a market."""

    symbol: str
    change: MarketChange


class SetExchange(msgspec.Struct, frozen=True, tag="set_exchange"):
    """The venue's admin paused operations (bits of `State.exchange_status`) or let them go on."""

    status: int


class Fork(msgspec.Struct, frozen=True, tag="fork"):
    """The last steps that landed anything were on a fork that was left."""

    steps: int


Deed = Submit | Row | Keepers | Fund | PayFunding | SetMarket | SetExchange | Fork


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A deed, the chain's time at it, and the prices that had come since the entry before."""

    now_ns: int
    prices: tuple[Price, ...]
    deed: Deed


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: what must be the same for the same deeds to lead to the same chain."""

    markets: tuple[MarketRules, ...]
    fills: FillRules
    enforce_margin: bool


class LastPrices(msgspec.Struct, frozen=True, kw_only=True):
    """The newest price of each market and the chain's time, for a restart."""

    now_ns: int
    prices: tuple[Price, ...]


class Journal:
    """The files of one state folder, which only one process may hold. Made by `open_journal`."""

    def __init__(self, file: BinaryIO, prices: BinaryIO, *, sync: bool) -> None:
        self._file = file
        self._prices = prices
        self._prices_size = 0
        self._sync = sync
        self._is_dirty = False

    def append(self, entry: Entry) -> None:
        """Writes an entry down; `settle` makes it safe."""
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self._is_dirty = True

    def settle(self) -> None:
        """What was appended survives the end of the process, with `sync` a power cut as well."""
        if self._is_dirty:
            self._file.flush()
            if self._sync:
                os.fsync(self._file.fileno())
            self._is_dirty = False

    def keep_prices(self, last: LastPrices) -> None:
        """Replaces the last prices, in one write that a kill cannot divide; a power cut may cost them."""
        content = msgspec.json.encode(last)
        os.pwrite(self._prices.fileno(), content.ljust(self._prices_size), 0)
        self._prices_size = len(content)

    def last_prices(self) -> LastPrices | None:
        """What `keep_prices` kept; None before the first time, and where a power cut spoilt it."""
        self._prices.seek(0)
        content = self._prices.read()
        self._prices_size = len(content)
        try:
            return msgspec.json.decode(content, type=LastPrices)
        except msgspec.DecodeError:
            # The next row brings a price; what a price led to is in the journal.
            return None

    def close(self) -> None:
        """Lets another process hold the folder."""
        self.settle()
        self._file.close()
        self._prices.close()


def open_journal(folder: Path, rules: Rules, *, sync: bool) -> tuple[Journal, Iterator[Entry]]:
    """The journal and what it holds already, which must be read to its end before anything is appended.

    Raises GridkeeperError: DATA_DIR_LOCKED, BAD_VALUE where it was begun with other rules, BAD_FILE.
    """
    make_private_directory(folder)
    path = folder / _JOURNAL
    with ExitStack() as stack:
        file = stack.enter_context(path.open("a+b"))
        _begin(file, folder, rules)
        prices = stack.enter_context(os.fdopen(os.open(folder / _PRICES, os.O_RDWR | os.O_CREAT, 0o600), "r+b"))
        stack.pop_all()
    return Journal(file, prices, sync=sync), _entries(file, path)


def _begin(file: BinaryIO, folder: Path, rules: Rules) -> None:
    """Takes hold of the file and stands behind its first line, which it writes where there is none."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise GridkeeperError("DATA_DIR_LOCKED", field="state_dir", value=folder) from error
    _drop_unfinished_line(file)
    file.seek(0)
    first = file.readline()
    if not first:
        file.write(msgspec.json.encode(rules) + b"\n")
        file.flush()
        sync_directory(folder)
    elif msgspec.json.decode(first, type=Rules) != rules:
        raise GridkeeperError(
            "BAD_VALUE",
            field="state_dir",
            value=folder,
            expected="the market, fill and fee settings this chain was begun with",
            do="Use the old settings, or another folder for a new chain.",
        )


def _entries(file: BinaryIO, path: Path) -> Iterator[Entry]:
    decoder = msgspec.json.Decoder(Entry)
    for number, line in enumerate(file, start=2):
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError as error:
            raise GridkeeperError("BAD_FILE", field="state_dir", value=f"{path}:{number}") from error


def _drop_unfinished_line(file: BinaryIO) -> None:
    """A line that a killed process had not finished was told to nobody."""
    file.seek(0)
    content = file.read()
    if content and not content.endswith(b"\n"):
        file.truncate(content.rfind(b"\n") + 1)
    file.seek(0)
