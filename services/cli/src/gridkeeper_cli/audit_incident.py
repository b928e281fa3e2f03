"""Writes the record of a grid into one file, and folds such a file without any server."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from importlib.metadata import version
from pathlib import Path

import msgspec

from gridkeeper_cli.documents import iso_utc
from gridkeeper_cli.record_source import FileSource, RecordSource, Stored
from gridkeeper_core.alerts.notice import FLEET
from gridkeeper_core.audit.bundle import BundleWriter, End, Event, Head, Tick
from gridkeeper_core.audit.envelope import envelope_of
from gridkeeper_core.audit.replay import MACHINES, Difference, Replay, State, differences
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import Digested, GridProposed, Sent
from gridkeeper_core.names import split_stream
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import GENESIS, Recorded, decode, hash_of

FOLDED = ("price_feed", "strategy", "execution", "ledger", "notifier")
"""Services whose events an incident holds."""
_FOR_EVER = 2**62


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    events: int
    ticks: int
    sha256: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What people were told, and when; on several channels it is one alert."""

    time: str
    target: str
    severity: str
    text: str


class FileReport(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was read: what it is about, and where it comes to other states than when it was written."""

    head: Head
    events: int
    ticks: int
    states: int
    differences: tuple[Difference, ...]
    alerts: tuple[Alert, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it comes to the same states."""
        return not self.differences

    @property
    def error(self) -> GridkeeperError:
        """What to tell the user."""
        return GridkeeperError("REPLAY_DIFFERS", field=self.differences[0].stream, detail=self.differences[0].sentence)


class _About(msgspec.Struct, frozen=True, kw_only=True):
    """Which streams concern a grid: all of its account, whose orders and margin it shares."""

    proposed: GridProposed
    grids: frozenset[str]

    def wants(self, stream: str) -> bool:
        kind, name = split_stream(stream)
        config = self.proposed.config
        match kind:
            case "grid" | "ledger":
                return name in self.grids
            case "account" | "tx" | "books":
                return name == config.account
            case "prices":
                return name == config.market
            case "market" | "wallet" | "sol":
                return True
            case "alert":
                return name in self.grids or name in (config.account, config.market, FLEET)
            case _:
                return False


async def about(source: RecordSource, grid_id: str) -> _About:
    """What concerns a grid. Raises GridkeeperError GRID_UNKNOWN."""
    proposed: dict[str, GridProposed] = {}
    async with aclosing(source.events("strategy")) as events:
        async for stored in events:
            envelope = envelope_of(stored.body)
            if envelope is not None and envelope.fact.topic == "grid.proposed.v1":
                proposed[split_stream(envelope.stream)[1]] = decode(stored.body).fact
    if grid_id not in proposed:
        raise GridkeeperError("GRID_UNKNOWN", field="--incident", value=grid_id, expected=" or ".join(proposed))
    account = proposed[grid_id].config.account
    grids = frozenset(name for name, fact in proposed.items() if fact.config.account == account)
    return _About(proposed=proposed[grid_id], grids=grids)


async def write_incident(
    source: RecordSource, concerned: _About, prices: Iterable[Price], interval: tuple[int, int], path: Path
) -> Written:
    """The account's events from the first one to the end of the interval, and the prices of the interval.

    The same record and interval give the same bytes. Raises GridkeeperError BAD_FILE.
    """
    config = concerned.proposed.config
    head = Head(
        release=version("gridkeeper-core"),
        shard=0,
        grid=config.grid_id,
        account=config.account,
        market=config.market,
        from_ns=interval[0],
        to_ns=interval[1],
        source=concerned.proposed.source,
    )
    writer, folds = BundleWriter(), _folds()
    try:
        with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as out:
            out.write(writer.line(head))
            async with aclosing(source.events()) as events:
                async for stored in events:
                    if not _is_part(stored, concerned, interval[1]):
                        continue
                    folds[stored.service].take(stored.id, stored.body)
                    out.write(writer.line(_event(stored)))
            for price in prices:
                out.write(writer.line(Tick(price=price)))
            out.write(writer.end({service: fold.state().digests for service, fold in folds.items()}))
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="file", value=path, detail=error.strerror or "") from error
    end = FileSource(path).end()
    return Written(events=end.events, ticks=end.ticks, sha256=end.sha256)


def replay_file(source: FileSource) -> FileReport:
    """Check every chain in the file, fold its events, and compare the states with those it was written with.

    Raises GridkeeperError BAD_FILE or CHAIN_BROKEN.
    """
    folds, heads = _folds(), dict[str, tuple[int, str]]()
    head, end = None, None
    alerts: dict[Alert, None] = {}
    for part in source.parts():
        match part:
            case Event():
                body = part.stored.encode()
                event = _read(body)
                _check_chain(part, body, event, heads)
                folds[part.service].take(part.id, body, event)
                if event is not None and part.service == "notifier":
                    alerts |= dict.fromkeys(_alerts(event))
            case Head():
                head = part
            case End():
                end = part
    assert head is not None, "a file without a head is refused before"
    assert end is not None, "a file without an end is refused before"
    states = {service: fold.state() for service, fold in folds.items()}
    found = [difference for service, state in states.items() for difference in _compared(service, state, end)]
    return FileReport(
        head=head,
        events=end.events,
        ticks=end.ticks,
        states=sum(len(state.digests) for state in states.values()),
        differences=tuple(found),
        alerts=tuple(alerts),
    )


def _folds() -> dict[str, Replay]:
    return {service: Replay(MACHINES[service](), _FOR_EVER) for service in FOLDED}


def _is_part(stored: Stored, concerned: _About, to_ns: int) -> bool:
    envelope = envelope_of(stored.body)
    if envelope is None or stored.service not in FOLDED or not concerned.wants(envelope.stream):
        return False
    return decode(stored.body).ts_ns <= to_ns


def _read(body: bytes) -> Recorded | None:
    """None for an event that this release does not know: its place in the chain can be told all the same."""
    try:
        return decode(body)
    except GridkeeperError:
        return None


def _alerts(event: Recorded) -> Iterator[Alert]:
    if isinstance(event.fact, Sent | Digested):
        fact, target = event.fact, split_stream(event.stream)[1]
        yield Alert(time=iso_utc(event.ts_ns), target=target, severity=fact.severity, text=fact.text)


def _event(stored: Stored) -> Event:
    return Event(service=stored.service, id=stored.id, sequence=stored.sequence, stored=stored.body.decode())


def _check_chain(stored: Event, body: bytes, event: Recorded | None, heads: dict[str, tuple[int, str]]) -> None:
    envelope = event or envelope_of(body)
    version_, hash_ = heads.get(envelope.stream, (0, GENESIS)) if envelope is not None else (0, "")
    if envelope is None or (envelope.version, envelope.prev) != (version_ + 1, hash_):
        where = f"{envelope.stream}@{envelope.version}" if envelope is not None else f"id {stored.id}"
        raise GridkeeperError("CHAIN_BROKEN", field=where, detail="It does not follow the event before it in the file.")
    heads[envelope.stream] = (envelope.version, hash_of(body))


def _compared(service: str, state: State, end: End) -> Sequence[Difference]:
    written = State(digests=end.digests.get(service, {}), streams=state.streams, events=state.events)
    return differences(service, {"written": written, "folded": state})
