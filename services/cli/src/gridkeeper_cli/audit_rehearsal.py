"""Rehearses another configuration on one's own history, beside the one that ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import aclosing

import msgspec

from gridkeeper_cli.documents import Document, result
from gridkeeper_cli.grid_source import GridFile
from gridkeeper_cli.record_source import RecordSource
from gridkeeper_core.audit.envelope import envelope_of
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import AccountSnapshot, GridProposed, MarketSeen, OrderFilled, PriceSeen
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.names import grid_of, stream
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import decode
from gridkeeper_core.venue.state import FillModel, FillRules
from gridkeeper_lab.rehearsal import Outcome, Scene, rehearse

_SHOWN = 20
_GRID_TOPICS = ("grid.proposed.v1", "grid.price_seen.v1")
_VENUE_TOPICS = ("market.seen.v1", "account.snapshot.v1", "order.filled.v1")

Prices = Callable[[str], Iterator[Price]]
"""The recorded prices of a market, oldest first, anew with each call."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What ran: the grid as proposed, and what it was played in."""

    proposed: GridProposed
    scene: Scene
    fills_recorded: int


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """Both configurations on the same prices, and how many fills the recorded run itself had."""

    history: History
    before: Outcome
    after: Outcome


async def history_of(source: RecordSource, grid_id: str, model: FillModel) -> History:
    """What the record tells of a grid's beginning. Raises GridkeeperError GRID_UNKNOWN."""
    proposed, first_price, known = None, None, set[str]()
    async with aclosing(source.events("strategy")) as events:
        async for stored in events:
            envelope = envelope_of(stored.body)
            if envelope is None or envelope.fact.topic not in _GRID_TOPICS:
                continue
            known.add(envelope.stream.partition(":")[2])
            fact = decode(stored.body).fact if envelope.stream == stream("grid", grid_id) else None
            if isinstance(fact, GridProposed):
                proposed = fact
            if isinstance(fact, PriceSeen) and first_price is None:
                first_price = fact.price
    if proposed is None or first_price is None:
        raise GridkeeperError("GRID_UNKNOWN", field="grid.id", value=grid_id, expected=" or ".join(sorted(known)))
    specs, deposit_e6, fills = await _venue(source, grid_id, proposed.config.account)
    scene = Scene(
        specs=specs, deposit_e6=deposit_e6, proposed_at_seq=first_price.source_seq, fills=FillRules(model=model)
    )
    return History(proposed=proposed, scene=scene, fills_recorded=fills)


def rehearsed(history: History, other: GridFile, prices: Prices) -> Rehearsal:
    """Play both configurations. Raises GridkeeperError, also when one is rejected."""
    mine, market = history.proposed, history.proposed.config.market
    theirs = msgspec.structs.replace(other.config, grid_id=mine.config.grid_id, market=market)
    return Rehearsal(
        history=history,
        before=rehearse(history.scene, mine.config, mine.source, prices(market)),
        after=rehearse(history.scene, theirs, other.source, prices(market)),
    )


def rehearsal_document(done: Rehearsal) -> Document:
    """For --json: both results, and what only one of them wanted or got."""
    before, after = done.before, done.after
    gone, new = sorted(before.intents - after.intents), sorted(after.intents - before.intents)
    return {
        "grid": done.history.proposed.config.grid_id,
        "prices": before.ticks,
        "fill_model": done.history.scene.fills.model,
        "fills_recorded": done.history.fills_recorded,
        "before": {"intents": len(before.intents), **result(before.result)},
        "after": {"intents": len(after.intents), **result(after.result)},
        "intents": {
            "in_both": len(before.intents & after.intents),
            "only_before": len(gone),
            "only_after": len(new),
            "first_only_before": gone[:_SHOWN],
            "first_only_after": new[:_SHOWN],
        },
    }


async def _venue(source: RecordSource, grid_id: str, account: str) -> tuple[tuple[MarketSpec, ...], int, int]:
    specs: dict[str, MarketSpec] = {}
    deposit_e6, fills = None, 0
    async with aclosing(source.events("execution")) as events:
        async for stored in events:
            envelope = envelope_of(stored.body)
            if envelope is None or envelope.fact.topic not in _VENUE_TOPICS:
                continue
            match decode(stored.body).fact:
                case MarketSeen(spec=spec):
                    specs[spec.symbol] = spec
                case AccountSnapshot() as snapshot if deposit_e6 is None and envelope.stream == stream(
                    "account", account
                ):
                    deposit_e6 = snapshot.deposit_e6
                case OrderFilled(intent_id=intent) if grid_of(intent) == grid_id:
                    fills += 1
    return tuple(specs.values()), deposit_e6 or 0, fills
