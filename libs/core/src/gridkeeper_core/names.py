"""Names that more than one service must spell alike: ids, streams, subjects, headers, intents."""

from __future__ import annotations

import re

import msgspec

from gridkeeper_core.errors import GridkeeperError

ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MARKET_PATTERN = re.compile(r"[A-Z0-9]{1,20}-PERP")

HEADER_APP = "Es-App"
"""The application (service and shard) whose event log holds the message, e.g. `strategy_0`."""
HEADER_ID = "Es-Id"
"""The notification id of the event in that log."""
HEADER_PREVIOUS = "Es-Prev"
"""The notification id of the event before it in that log; 0 for the first. Equality with the reader's position is
what proves that nothing is missing."""
HEADER_MSG_ID = "Nats-Msg-Id"

EV_STREAM = "EV"
PX_STREAM = "PX"
EV_SUBJECTS = "ev.>"
PX_SUBJECTS = "px.>"

ORDER_KINDS = ("buy", "sell", "entry", "stop-low", "stop-high", "take-profit", "flatten")


def check_id(text: str, field: str) -> str:
    """The id itself when it is allowed. Raises GridkeeperError BAD_ID."""
    if not ID_PATTERN.fullmatch(text):
        raise GridkeeperError("BAD_ID", field=field, value=text, expected="[a-z0-9][a-z0-9-]{0,39}")
    return text


def stream(kind: str, name: str) -> str:
    """`grid`, `sol-range` -> `grid:sol-range`."""
    return f"{kind}:{name}"


def split_stream(name: str) -> tuple[str, str]:
    """`market:drift:0` -> `market`, `drift:0`."""
    kind, _, rest = name.partition(":")
    return kind, rest


def app_name(service: str, shard: int) -> str:
    """The name of a service's event log, which is also the name of its table prefix."""
    return f"{service}_{shard}"


def event_subject(shard: int, service: str, stream_name: str, topic: str) -> str:
    """`ev.0.strategy.grid.sol-range.order-wanted-v1` for `order.wanted.v1` of `grid:sol-range`."""
    kind, name = split_stream(stream_name)
    return f"ev.{shard}.{service}.{kind}.{name.replace(':', '-')}.{topic.replace('.', '-').replace('_', '-')}"


def writer_subjects(shard: int, service: str) -> str:
    """All subjects that one service of one shard may write: the scope of its fence."""
    return f"ev.{shard}.{service}.>"


def price_subject(market: str) -> str:
    """The subject of a market's prices."""
    return f"px.{market}"


def command_subject(shard: int, kind: str, name: str, verb: str) -> str:
    """The request subject of one command, e.g. `cmd.0.grid.sol-range.pause`."""
    return f"cmd.{shard}.{kind}.{name}.{verb}"


def query_subject(shard: int, service: str, what: str) -> str:
    """The request subject of one query, e.g. `query.0.strategy.heads`."""
    return f"query.{shard}.{service}.{what}"


def intent_id(grid_id: str, kind: str, key: int, cycle: int) -> str:
    """The identity of a wanted order: the same need is the same order, however often it is asked for."""
    return f"{grid_id}/{kind}/{key}/{cycle}"


class IntentParts(msgspec.Struct, frozen=True):
    """What an intent id says."""

    grid_id: str
    kind: str
    key: int
    cycle: int


def split_intent(text: str) -> IntentParts:
    """The parts of an intent id. Raises ValueError when it is none."""
    grid_id, kind, key, cycle = text.split("/")
    return IntentParts(grid_id, kind, int(key), int(cycle))


def grid_of(intent: str) -> str:
    """The grid an intent belongs to."""
    return intent.partition("/")[0]
