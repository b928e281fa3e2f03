"""`gridkeeper grid explain`: why a level has an order or none, and the whole story of an order, with event ids."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec
from rich.console import RenderableType

from gridkeeper_bus.history import subjects_of
from gridkeeper_cli import documents
from gridkeeper_cli.client import Client
from gridkeeper_cli.grid_history import ALL, grid_events, state_at
from gridkeeper_cli.render import facts, table
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.explain import TOPICS, Step, story_of
from gridkeeper_core.grid.reasons import ORDER, grid_reasons, level_reasons, words_of
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.names import grid_of, stream
from gridkeeper_core.record import decode
from gridkeeper_core.requests import GridDetail, LevelView, PauseView

_STEP_COLUMNS = (("kind", "step"), ("words", "what"), ("event", "event"), ("time", "time"))
_REASON_COLUMNS = (("level", ">level"), ("price", ">price"), ("side", "order"), ("code", "code"), ("meaning", "why"))


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the grid at the moment asked for, and the story where one was asked for."""

    state: str
    pauses: tuple[PauseView, ...]
    levels: tuple[LevelView, ...]
    story: tuple[Step, ...] = ()


@click.command("explain")
@click.argument("grid_id", metavar="ID")
@click.option("--order", "intent_id", metavar="INTENT", help="The story of this order, such as sol-range/buy/13/0.")
@click.option("--level", metavar="N", type=click.IntRange(min=0), help="Only this level, with its order's story.")
@click.option("--at", metavar="TIME", help="As it was then (ISO 8601, UTC), by the recorded events.")
@everywhere
@pass_session
def explain(session: Session, grid_id: str, intent_id: str | None, level: int | None, at: str | None) -> None:
    """Say why: why a level has no order, or how an order came about and what became of it.

    \b
    Example:
      gridkeeper grid explain sol-range
      gridkeeper grid explain sol-range --level 42
      gridkeeper grid explain sol-range --order sol-range/buy/13/0
      gridkeeper grid explain sol-range --level 42 --at 2026-01-31T12:00:00Z
    """
    at_ns = None if at is None else _time_ns(at)
    if intent_id is not None and grid_of(intent_id) != grid_id:
        raise GridkeeperError("BAD_VALUE", field="--order", value=intent_id, expected=f"an order of {grid_id}")
    found = session.ask(lambda client: _find(client, grid_id, intent_id, level, at_ns))
    if intent_id is not None and not found.story:
        raise GridkeeperError("BAD_VALUE", field="--order", value=intent_id, expected="an order that was recorded")
    session.answer(_document(grid_id, found), *_text(grid_id, found, is_order=intent_id is not None))


async def _find(client: Client, grid_id: str, intent_id: str | None, level: int | None, at_ns: int | None) -> _Found:
    found = _now(await client.grid(grid_id)) if at_ns is None else await _then(client, grid_id, at_ns)
    if level is not None:
        levels = tuple(one for one in found.levels if one.level == level)
        if not levels:
            expected = f"0 to {len(found.levels) - 1}" if found.levels else "a grid that has levels"
            raise GridkeeperError("BAD_VALUE", field="--level", value=level, expected=expected)
        found = msgspec.structs.replace(found, levels=levels)
        intent_id = intent_id or levels[0].intent_id
    if intent_id:
        found = msgspec.structs.replace(found, story=await _story(client, grid_id, intent_id, at_ns))
    return found


def _now(detail: GridDetail) -> _Found:
    return _Found(state=detail.view.state, pauses=detail.pauses, levels=detail.reasons)


async def _then(client: Client, grid_id: str, at_ns: int) -> _Found:
    """From the events up to a moment. Prices that led to nothing are in none of them: the last recorded one counts."""
    state = state_at(await grid_events(client, grid_id), grid_id, at_ns)
    pauses = tuple(
        PauseView(code=code, meaning=words_of(code), told=state.told.get(code, "")) for code in grid_reasons(state)
    )
    return _Found(state=state.status, pauses=pauses, levels=_levels(state, at_ns))


def _levels(state: GridState, at_ns: int) -> tuple[LevelView, ...]:
    return tuple(
        LevelView(**msgspec.structs.asdict(reason), meaning=words_of(reason.code))
        for reason in level_reasons(state, state.price, at_ns)
    )


async def _story(client: Client, grid_id: str, intent_id: str, at_ns: int | None) -> tuple[Step, ...]:
    account = (await client.grid(grid_id)).view.account
    subjects = [
        *subjects_of(stream("grid", grid_id)),
        *subjects_of(stream("ledger", grid_id)),
        *subjects_of(stream("tx", account)),
        *subjects_of(stream("account", account), TOPICS),
    ]
    page = await client.last_events(subjects, ALL)
    events = (decode(message.body) for message in page.messages)
    return story_of((event for event in events if at_ns is None or event.ts_ns <= at_ns), intent_id)


def _time_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise GridkeeperError("BAD_VALUE", field="--at", value=text, expected="such as 2026-01-31T12:00:00Z") from error
    whole = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((whole.days * 86_400 + whole.seconds) * 10**6 + whole.microseconds) * 1_000


def _document(grid_id: str, found: _Found) -> documents.Document:
    return {
        "explain": {
            "id": grid_id,
            "state": found.state,
            "pauses": [{"code": p.code, "meaning": p.meaning, "told": p.told} for p in found.pauses],
            "levels": [documents.level(level) for level in found.levels],
            "story": [_step(step) for step in found.story],
        }
    }


def _step(step: Step) -> documents.Document:
    return {
        "kind": step.kind,
        "event": step.event,
        "time": documents.iso_utc(step.ts_ns),
        "cause": step.cause,
        "words": step.words,
    }


def _text(grid_id: str, found: _Found, *, is_order: bool) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if not is_order:
        parts.append(f"Grid {grid_id} is {found.state}.")
        parts += [f"{pause.code}: {pause.meaning} {pause.told}".rstrip() for pause in found.pauses]
    if not is_order and len(found.levels) == 1:
        parts.append(_one_level(found.levels[0]))
    elif not is_order:
        parts.append(table(_REASON_COLUMNS, [documents.level(level) for level in reversed(found.levels)]))
    if found.story:
        parts += ["", table(_STEP_COLUMNS, [_step(step) for step in found.story])]
    return parts


def _one_level(level: LevelView) -> RenderableType:
    shown = documents.level(level)
    pairs = [("level", f"{shown['level']} at {shown['price']}"), ("code", level.code), ("why", level.meaning)]
    pairs += [(name, str(shown[name])) for name in ("side", "size", "detail", "until", "intent") if shown[name]]
    return facts(pairs if level.code != ORDER else [pair for pair in pairs if pair[0] != "detail"])
