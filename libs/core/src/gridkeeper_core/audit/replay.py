"""Folds stored events into a machine anew, and says where states that should be equal are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.machine import Machine
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.prices.machine import FeedMachine
from gridkeeper_core.record import GENESIS, Recorded, decode, hash_of

MACHINES: Mapping[str, Callable[[], Machine]] = {
    "price_feed": FeedMachine,
    "strategy": StrategyMachine,
    "execution": lambda: ExecutionMachine(lambda _: None),  # what is stored is never signed again
    "ledger": LedgerMachine,
    "notifier": lambda: NotifierMachine(Policy(channels=("replay",))),  # channels say where to tell, not what is known
}
"""Service -> its machine, as it is before its first event."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a service's log comes to: the digest of each state, and each stream's version and last hash.

    `failure` says which event could not be folded, and why; what lies behind it was left out.
    """

    events: int = 0
    digests: dict[str, str]
    streams: dict[str, tuple[int, str]]
    failure: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A stream whose states differ; `values` names each source with what it says, empty for nothing."""

    app: str
    stream: str
    about: str
    values: dict[str, str]

    @property
    def sentence(self) -> str:
        """For a person."""
        said = ", ".join(f"{source} {value or 'nothing'}" for source, value in self.values.items())
        return f"{self.stream or self.app} of {self.app} differs in its {self.about}: {said}."


class Replay:
    """Folds the events of one log up to an id; those after it are left out."""

    def __init__(self, machine: Machine, until_id: int) -> None:
        self.until_id = until_id
        self.seen_id = 0
        self._machine = machine
        self._events = 0
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._failure = ""

    @property
    def is_done(self) -> bool:
        """Whether everything up to the id was handed over."""
        return self.seen_id >= self.until_id

    def take(self, event_id: int, stored: bytes, event: Recorded | None = None) -> None:
        """The next event of the log, already read where somebody had to."""
        if event_id > self.seen_id:
            self.seen_id = event_id
        if event_id > self.until_id or self._failure:
            return
        try:
            event = event or decode(stored)
            self._machine.restore(event)
        except GridkeeperError as error:
            self._failure = f"event {event_id}: {error}"
        except Exception as error:  # whatever a fold meets in a record that was tampered with is the answer asked for
            self._failure = f"event {event_id}: {type(error).__name__} {error}"
        else:
            self._events += 1
            self._newest[event.stream] = (event.version, stored)

    def state(self) -> State:
        """What it comes to."""
        return State(
            events=self._events,
            digests=self._machine.digests(),
            streams={name: (version, hash_of(stored)) for name, (version, stored) in self._newest.items()},
            failure=self._failure,
        )


def differences(app: str, states: Mapping[str, State]) -> list[Difference]:
    """Where the states of one log differ between the sources that are named."""
    found = _compared(app, "fold", {source: {"": state.failure} for source, state in states.items() if state.failure})
    digests = {source: state.digests for source, state in states.items()}
    heads = {
        source: {name: f"version {version} {hash_ or GENESIS}" for name, (version, hash_) in state.streams.items()}
        for source, state in states.items()
    }
    return found + _compared(app, "state", digests) + _compared(app, "last event", heads)


def _compared(app: str, about: str, sources: Mapping[str, Mapping[str, str]]) -> list[Difference]:
    names = sorted({name for values in sources.values() for name in values})
    rows = ({source: values.get(name, "") for source, values in sources.items()} for name in names)
    return [
        Difference(app=app, stream=name, about=about, values=row)
        for name, row in zip(names, rows, strict=True)
        if about == "fold" or len(set(row.values())) > 1
    ]
