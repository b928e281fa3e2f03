"""`gridkeeper grid edit`: shows what other settings would do to a running grid, and puts them in force."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec
from rich.console import RenderableType

from gridkeeper_cli import documents
from gridkeeper_cli.client import Client
from gridkeeper_cli.grid_file import Assumptions, GridFile, preview_live, read_grid_file
from gridkeeper_cli.grid_history import versions
from gridkeeper_cli.preview_command import assuming
from gridkeeper_cli.render import counted, facts, table
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.errors import CATALOGUE, GridkeeperError
from gridkeeper_core.events import EditRefused
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.grid.preview_checks import open_refusals
from gridkeeper_core.inputs import EditGrid
from gridkeeper_core.requests import CommandReply, EditView
from gridkeeper_core.units import e6_text, e9_text

EDITED = "grid.edited.v1"
PROPOSED = "grid.edit_proposed.v1"
REFUSED = "grid.edit_refused.v1"
ANSWERED_WITHIN_S = 60.0
CANCELLED_WITHIN_S = 30.0
POLL_S = 0.1
_ORDER_COLUMNS = (("change", "change"), ("side", "side"), ("price", ">price"), ("size", ">size"), ("intent", "intent"))


class _Edited(msgspec.Struct, frozen=True, kw_only=True):
    """The plan, and what became of it when it was applied."""

    plan: EditView
    event: str = ""
    orders_left: int = 0
    is_applied: bool = False
    is_waiting: bool = False


@click.command("edit")
@click.argument("grid_id", metavar="ID")
@click.argument("grid_file", metavar="[GRID.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--apply", "apply_it", is_flag=True, help="Put it in force; without this it is only shown.")
@click.option("--back", is_flag=True, help="Take the settings that were in force before the present ones.")
@click.option("--to", "to_version", metavar="N", type=click.IntRange(1), help="Take the settings of event ID@N.")
@assuming
@changing
@everywhere
@pass_session
def edit(
    session: Session,
    grid_id: str,
    grid_file: Path | None,
    apply_it: bool,  # noqa: FBT001 - click hands options over by name
    back: bool,  # noqa: FBT001
    to_version: int | None,
    assumed: Assumptions,
    accepted: tuple[str, ...],
    change: Change,
) -> None:
    """Show what other settings would change, and with --apply put them in force. History and costs stay.

    The way back is --back (or --to N, see `gridkeeper events tail --stream grid:ID --topic grid.edited`): it is an edit
    like any other.

    \b
    Example:
      gridkeeper grid edit sol-range sol-wider.toml
      gridkeeper grid edit sol-range sol-wider.toml --apply --reason "wider range"
      gridkeeper grid edit sol-range --back --apply --reason "as before"
    """
    if sum((grid_file is not None, back, to_version is not None)) != 1:
        raise GridkeeperError("BAD_USAGE", field="GRID.toml", expected="a file, --back or --to N, one of them")
    if apply_it:
        session.confirm(f"Change the settings of grid {grid_id}?", change)
    given = read_grid_file(grid_file) if grid_file is not None else None

    async def work(client: Client) -> _Edited:
        file = given or await _earlier(client, grid_id, to_version)
        return await _edit(client, grid_id, file, assumed, accepted, change, apply_it=apply_it)

    edited = session.ask(work)
    session.answer(_document(grid_id, edited, change), *_text(grid_id, edited))


async def _earlier(client: Client, grid_id: str, version: int | None) -> GridFile:
    """The file of an earlier version, or of the one before the present."""
    found = await versions(client, grid_id)
    if version is None:
        if len(found) < 2:
            raise GridkeeperError("BAD_VALUE", field="--back", value=grid_id, expected="a grid that was edited")
        source = found[-2].source
    else:
        sources = {one.version: one.source for one in found}
        if version not in sources:
            expected = " or ".join(str(one) for one in sources)
            raise GridkeeperError("BAD_VALUE", field="--to", value=version, expected=expected)
        source = sources[version]
    return GridFile(source=source, config=parse_grid(source))


async def _edit(
    client: Client,
    grid_id: str,
    file: GridFile,
    assumed: Assumptions,
    accepted: tuple[str, ...],
    change: Change,
    *,
    apply_it: bool,
) -> _Edited:
    plan = await client.edit_plan(grid_id, file.config)
    previewed = await preview_live(client, file.config, assumed)
    for refusal in open_refusals(previewed.preview.refusals, accepted):
        raise refusal.error()
    if not apply_it:
        return _Edited(plan=plan)
    body = EditGrid(config=file.config, source=file.source, accepted=accepted)
    reply = await client.command(
        "grid", grid_id, "edit", body, key=change.key, author=change.author, reason=change.reason
    )
    if PROPOSED in reply.topics and not change.wait:
        return _Edited(plan=plan, event=_event_of(reply, PROPOSED), is_applied=True, is_waiting=True)
    event = await _answered(client, reply) if PROPOSED in reply.topics else _event_of(reply, EDITED)
    left = await _leaving(client, grid_id) if change.wait else 0
    return _Edited(plan=plan, event=event, orders_left=left, is_applied=True)


async def _answered(client: Client, reply: CommandReply) -> str:
    """The event that put the settings in force once the account gave more slots. Raises what it was refused for."""
    answer = await client.outcome(reply.stream, (EDITED, REFUSED), ANSWERED_WITHIN_S, after=reply.version)
    if answer is None:
        detail = f"More order slots were asked for, but nothing was decided within {ANSWERED_WITHIN_S:.0f} s."
        raise GridkeeperError("SERVICE_SILENT", field="grid.id", value=reply.stream, detail=detail)
    if isinstance(answer.fact, EditRefused):
        code = answer.fact.code if answer.fact.code in CATALOGUE else "INTERNAL"
        raise GridkeeperError(code, field="window.live_orders", value=reply.stream, detail=answer.fact.detail)
    return answer.identity


def _event_of(reply: CommandReply, topic: str) -> str:
    """The event of a topic: the reply names the last one of the same decision. "" where there is none."""
    if topic not in reply.topics:
        return ""
    after = len(reply.topics) - 1 - reply.topics.index(topic)
    return f"{reply.stream}@{reply.version - after}"


async def _leaving(client: Client, grid_id: str) -> int:
    """How many orders of the old settings are still on the venue when there are none, or when that takes too long."""
    deadline_s = asyncio.get_running_loop().time() + CANCELLED_WITHIN_S
    while True:
        detail = await client.grid(grid_id)
        left = sum(1 for order in detail.orders if order.unwanted)
        if not left or asyncio.get_running_loop().time() >= deadline_s:
            return left
        await asyncio.sleep(POLL_S)


def _document(grid_id: str, edited: _Edited, change: Change) -> documents.Document:
    plan = edited.plan
    return {
        "edit": {
            "id": grid_id,
            "applied": edited.is_applied,
            "event": edited.event or None,
            "key": change.key,
            "before": _side(plan.levels_before_e6, plan.sizes_before_e9, plan.held_before_e9, plan.margin_before_e6),
            "after": _side(plan.levels_after_e6, plan.sizes_after_e9, plan.held_after_e9, plan.margin_after_e6),
            "levels_kept": len({*plan.levels_before_e6} & {*plan.levels_after_e6}),
            "cancelled": [documents.order(order) for order in plan.cancelled],
            "placed": [documents.order(order) for order in plan.placed],
            "orders_left": edited.orders_left,
            "waiting": edited.is_waiting,
            "order_slots": {"before": plan.slots_before, "after": plan.slots_after},
        }
    }


def _side(levels_e6: tuple[int, ...], sizes_e9: tuple[int, ...], held_e9: int, margin_e6: int) -> documents.Document:
    return {
        "levels": [e6_text(level) for level in levels_e6],
        "size": [e9_text(min(sizes_e9)), e9_text(max(sizes_e9))],
        "held": e9_text(held_e9),
        "margin": e6_text(margin_e6),
    }


def _text(grid_id: str, edited: _Edited) -> list[RenderableType]:
    plan = edited.plan
    pairs = [
        ("levels", f"{_levels(plan.levels_before_e6)}  →  {_levels(plan.levels_after_e6)}"),
        ("size per order", f"{_sizes(plan.sizes_before_e9)}  →  {_sizes(plan.sizes_after_e9)}"),
        ("held by cells", f"{e9_text(plan.held_before_e9)}  →  {e9_text(plan.held_after_e9)}"),
        ("margin", f"{e6_text(plan.margin_before_e6)}  →  {e6_text(plan.margin_after_e6)}"),
        *_slots(plan),
        ("levels kept", len({*plan.levels_before_e6} & {*plan.levels_after_e6})),
    ]
    changes = [{"change": "cancel", **documents.order(order)} for order in plan.cancelled]
    changes += [{"change": "place", **documents.order(order)} for order in plan.placed]
    return [
        facts(pairs),
        "",
        table(_ORDER_COLUMNS, changes) if changes else "No order is touched.",
        _verdict(grid_id, edited),
    ]


def _slots(plan: EditView) -> list[tuple[str, str]]:
    if plan.slots_before == plan.slots_after:
        return []
    when = "got from the account first" if plan.slots_after > plan.slots_before else "given back when orders are gone"
    return [("order slots", f"{plan.slots_before}  →  {plan.slots_after}, {when}")]


def _verdict(grid_id: str, edited: _Edited) -> str:
    if not edited.is_applied:
        return "Nothing was changed; --apply puts it in force. Orders that wait for a cancel follow when it is done."
    if edited.is_waiting:
        return f"The account is asked for more order slots for grid {grid_id}, by event {edited.event}."
    left = f" {counted(edited.orders_left, 'old order')} not cancelled yet." if edited.orders_left else ""
    if not edited.event:
        return f"Grid {grid_id} has these settings already."
    return f"Grid {grid_id} has the new settings, by event {edited.event}.{left} The way back is --back --apply."


def _levels(levels_e6: tuple[int, ...]) -> str:
    return f"{len(levels_e6)} from {e6_text(levels_e6[0])} to {e6_text(levels_e6[-1])}"


def _sizes(sizes_e9: tuple[int, ...]) -> str:
    least, most = e9_text(min(sizes_e9)), e9_text(max(sizes_e9))
    return least if least == most else f"{least} to {most}"
