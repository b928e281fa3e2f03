"""`gridkeeper grid create`: checks a grid file against the running system, proposes it, and tells what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from gridkeeper_cli.client import Client
from gridkeeper_cli.documents import Document
from gridkeeper_cli.grid_file import Assumptions, GridFile, Previewed, preview_live, read_grid_file
from gridkeeper_cli.preview_command import assuming, show
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.errors import CATALOGUE, GridkeeperError
from gridkeeper_core.events import GridArmed, GridOpened, GridRejected
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.opening import trigger_text
from gridkeeper_core.grid.preview_checks import open_refusals
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.names import stream
from gridkeeper_core.record import Recorded
from gridkeeper_core.requests import CommandReply
from gridkeeper_core.units import e6_text, e9_text

OUTCOME_WITHIN_S = 60.0
DECIDED = ("grid.opened.v1", "grid.armed.v1", "grid.rejected.v1")


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the proposal, and what was decided about it, if that was waited for."""

    reply: CommandReply
    decided: Recorded | None


@click.command()
@click.argument("grid_file", metavar="GRID.toml", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only check it against the running system; propose nothing.")
@assuming
@changing
@everywhere
@pass_session
def create(
    session: Session,
    grid_file: Path,
    check: bool,  # noqa: FBT001 - click hands options over by name
    assumed: Assumptions,
    accepted: tuple[str, ...],
    change: Change,
) -> None:
    """Create a grid from a file, and wait until it is open.

    What speaks against it (see `gridkeeper preview`) refuses it, unless accepted with --accept CODE.

    \b
    Example:
      gridkeeper grid create sol-range.toml --check
      gridkeeper grid create sol-range.toml --reason "range trade"
    """
    file = read_grid_file(grid_file)
    if check:
        show(session, session.ask(lambda client: _checked(client, file, assumed)), accepted)
        return
    created = session.ask(lambda client: propose(client, file, assumed, accepted, change))
    document, sentence = told(file, created, change)
    session.answer(document, sentence)


async def _checked(client: Client, file: GridFile, assumed: Assumptions) -> Previewed:
    if any(grid.id == file.config.grid_id for grid in await client.grids()):
        raise GridkeeperError("GRID_EXISTS", field="grid.id", value=file.config.grid_id)
    await _check_account(client, file.config)
    return await preview_live(client, file.config, assumed)


async def _check_account(client: Client, config: GridConfig) -> None:
    """What execution would reject the grid for, found before its id is used up."""
    view = await client.account(config.account)
    if view.phase != "live" or view.differs:
        raise GridkeeperError("ACCOUNT_NOT_LIVE", field="grid.account", value=config.account, expected="live")
    if view.halted:
        raise GridkeeperError("ACCOUNT_HALTED", field="grid.account", value=config.account, detail=view.halted)
    for grid in await client.grids():
        if grid.id in view.grids and grid.market == config.market:
            raise GridkeeperError("MARKET_BUSY", field="grid.market", value=config.market, expected=f"not {grid.id}'s")
    needed = config.live_orders + config.reserve
    if needed > view.free_slots:
        raise GridkeeperError(
            "NO_FREE_SLOTS",
            field="window.live_orders",
            value=f"{config.live_orders} + {config.reserve} in reserve",
            expected=f"together at most {view.free_slots} (free on account {config.account})",
        )


async def propose(
    client: Client, file: GridFile, assumed: Assumptions, accepted: tuple[str, ...], change: Change
) -> Created:
    """Propose the grid of a file and wait for the decision. Raises GridkeeperError with what speaks against it."""
    # Where the id is known already the service has to answer: the same --key again gets the first answer.
    if all(grid.id != file.config.grid_id for grid in await client.grids()):
        await _check_account(client, file.config)
        previewed = await preview_live(client, file.config, assumed)
        for refusal in open_refusals(previewed.preview.refusals, accepted):
            raise refusal.error()
    body = ProposeGrid(config=file.config, source=file.source, accepted=accepted)
    reply = await client.command(
        "grid", file.config.grid_id, "propose", body, key=change.key, author=change.author, reason=change.reason
    )
    if not change.wait:
        return Created(reply=reply, decided=None)
    decided = await client.outcome(stream("grid", file.config.grid_id), DECIDED, OUTCOME_WITHIN_S)
    if decided is None:
        detail = f"Grid {file.config.grid_id} is proposed, but nothing was decided within {OUTCOME_WITHIN_S:.0f} s."
        raise GridkeeperError("SERVICE_SILENT", field="grid.id", value=file.config.grid_id, detail=detail)
    return Created(reply=reply, decided=decided)


def told(file: GridFile, created: Created, change: Change) -> tuple[Document, str]:
    """What became of a proposal, as document and sentence. Raises GridkeeperError with why it was rejected."""
    config = file.config
    document: Document = {"id": config.grid_id, "market": config.market, "account": config.account, "key": change.key}
    match created.decided.fact if created.decided else None:
        case GridOpened() as opened:
            document |= {"state": "open", **_opening(opened)}
            return {"grid": document}, _opened_sentence(file, opened)
        case GridArmed() as armed:
            document |= {"state": "armed", "trigger": e6_text(armed.trigger_e6), "above": armed.above}
            return {"grid": document}, f"Grid {config.grid_id} waits for the {trigger_text(armed)}."
        case GridRejected() as rejected:
            raise _rejection(file, rejected)
        case _:
            document |= {"state": "proposed"}
            return {
                "grid": document
            }, f"Grid {config.grid_id} is proposed. See `gridkeeper grid show {config.grid_id}`."


def _opening(opened: GridOpened) -> dict[str, Any]:
    return {
        "levels": len(opened.levels_e6),
        "lower": e6_text(opened.levels_e6[0]),
        "upper": e6_text(opened.levels_e6[-1]),
        "start_price": e6_text(opened.start_price_e6),
        "start_position": e9_text(opened.start_position_e9),
    }


def _opened_sentence(file: GridFile, opened: GridOpened) -> str:
    config, sizes = file.config, opened.sizes_e9
    least, most = e9_text(min(sizes)), e9_text(max(sizes))
    size = least if least == most else f"{least} to {most}"
    return (
        f"Grid {config.grid_id} is open on {config.market} with account {config.account}: {len(opened.levels_e6)} "
        f"levels from {e6_text(opened.levels_e6[0])} to {e6_text(opened.levels_e6[-1])}, {size} per order, started at "
        f"{e6_text(opened.start_price_e6)}. The nearest {config.live_orders} orders are being placed."
    )


def _rejection(file: GridFile, rejected: GridRejected) -> GridkeeperError:
    code = rejected.code if rejected.code in CATALOGUE else "INTERNAL"
    return GridkeeperError(code, field="grid.id", value=file.config.grid_id, detail=rejected.detail)
