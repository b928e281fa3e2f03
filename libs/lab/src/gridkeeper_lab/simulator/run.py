"""Plays a tape in a world, and after its end demands that everything comes right in a stated time."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gridkeeper_core.grid.state import FAULT, PAUSED
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.grid.window import NO_CELLS, plan
from gridkeeper_core.inputs import (
    CommandBody,
    HaltAccount,
    PauseGrid,
    ResumeAccount,
    ResumeGrid,
    SettleAccount,
)
from gridkeeper_core.units import NS_PER_MS, NS_PER_S
from gridkeeper_lab.simulator.broken import BrokenPromiseError, demand
from gridkeeper_lab.simulator.chain import ACCOUNT
from gridkeeper_lab.simulator.node import DEATHS, Node
from gridkeeper_lab.simulator.process import Rules
from gridkeeper_lab.simulator.tape import Step, Tape
from gridkeeper_lab.simulator.world import EXECUTION, GRID, LEDGER, MARKET, NODES, STRATEGY, World

STEP_NS = 20 * NS_PER_MS
CATCH_UP_S = 600
"""In so many simulated seconds after the last fault all must be well again (P8)."""
CALM_S = 5
"""All must be well for so long before it counts."""
_COMMANDS: tuple[tuple[CommandBody, str], ...] = (
    (PauseGrid(), f"grid:{GRID}"),
    (ResumeGrid(), f"grid:{GRID}"),
    (PauseGrid(keep_orders=True), f"grid:{GRID}"),
    (HaltAccount(), f"account:{ACCOUNT}"),
    (ResumeAccount(), f"account:{ACCOUNT}"),
    (SettleAccount(), f"account:{ACCOUNT}"),
)


class Outcome(NamedTuple):
    """What a run that kept all promises was like."""

    events: int
    restarts: int
    fenced: int
    forks: int
    landed: int
    caught_up_s: int


class Failure(NamedTuple):
    """Where a run broke a promise: before step `at`, or at the end (the tape's length)."""

    at: int
    promise: str
    detail: str


def play(tape: Tape, rules: Rules) -> Outcome | Failure:
    """The whole run. A machine that fails on an input breaks the promise called ERROR."""
    world = World(rules)
    at = 0
    try:
        world.begin()
        for at, step in enumerate(tape):  # noqa: B007  # told when it fails
            take_step(world, step)
            world.checks.after_step()
        at = len(tape)
        caught_up_s = finish(world)
    except BrokenPromiseError as broken:
        return Failure(at, broken.promise, str(broken))
    except Exception as error:  # whatever a machine fails with is what is looked for
        return Failure(at, "ERROR", f"{type(error).__name__}: {error}")
    return Outcome(
        events=world.checks.events,
        restarts=sum(node.restarts for node in world.nodes.values()) - len(NODES),
        fenced=world.fenced,
        forks=world.chain.forks,
        landed=len(world.chain.landed),
        caught_up_s=caught_up_s,
    )


def take_step(world: World, step: Step) -> None:
    """One step of a tape.

    `go` a: one of the moves that are due. `rest`: all of them. `price` cents, size (1e-2). `wait` a ms. `fund` rate.
    `crash` service, where. `kill`, `takeover`, `deaf`, `unacked`, `skip` service. `again` service, how far back.
    `stale` service, move. `clock` service, ms. `lose` transaction. `hold` transaction, slots. `cut` b logs, `unsigned`
    b rolls. `fork` depth, whether ours land again. `command` which.
    """
    world.pass_time(STEP_NS)
    match step.name:
        case "go":
            moves = world.moves()
            if moves:
                moves[step.a % len(moves)]()
        case "rest":
            world.rest()
        case "price":
            world.pass_time(NS_PER_S)
            world.price(step.a, step.b)
        case "wait":
            world.pass_time(step.a * NS_PER_MS)
        case "fund":
            world.chain.pay_funding(MARKET, step.a)
        case "command":
            world.command(*_COMMANDS[step.a % len(_COMMANDS)])
        case "lose" | "hold" | "cut" | "unsigned" | "fork":
            _hurt_chain(world, step)
        case _:
            _hurt_service(world, world.nodes[NODES[step.a % len(NODES)]], step)


def _hurt_chain(world: World, step: Step) -> None:
    chain = world.chain
    match step.name:
        case "lose" if chain.mempool:
            del chain.mempool[step.a % len(chain.mempool)]
        case "hold" if chain.mempool:
            place = step.a % len(chain.mempool)
            chain.mempool[place] = msgspec.structs.replace(chain.mempool[place], not_before=chain.slot + step.b)
        case "cut":
            chain.cuts = step.a
        case "unsigned":
            chain.unsigned = step.a
        case "fork":
            chain.fork(step.a, relands=bool(step.b))
        case _:
            pass


def _hurt_service(world: World, node: Node, step: Step) -> None:
    match step.name:
        case "crash" if node.process is not None:
            node.dies_at = DEATHS[step.b % len(DEATHS)]
        case "kill":
            world.kill(node)
        case "again":
            world.deliver_again(node, step.b)
        case "skip":
            world.deliver_too_early(node)
        case "deaf":
            node.newest = None
        case "unacked":
            node.is_unacknowledged = True
        case "takeover":
            world.take_over(node)
        case "stale":
            world.wake_stale(node, step.b)
        case "clock":
            node.skew_ns = step.b * NS_PER_MS
        case _:
            pass


# ---------------------------------------------------------------- after the last fault


def finish(world: World) -> int:
    """No more faults: simulated seconds until all was well. Raises BrokenPromiseError P8 when that takes too long."""
    world.chain.cuts = world.chain.unsigned = 0
    world.chain.mempool = [msgspec.structs.replace(sent, not_before=0) for sent in world.chain.mempool]
    for node in world.nodes.values():
        node.skew_ns, node.dies_at, node.is_unacknowledged, node.stale = 0, "", False, None
    world.kill(world.nodes[EXECUTION])  # a boot ends with a proof of the books
    calm, trouble = 0, ""
    for second in range(CATCH_UP_S):
        world.pass_time(NS_PER_S)
        world.price(10_555 + second % 2, 0)
        _ask_to_go_on(world, second)
        world.rest()
        world.checks.after_step()
        trouble = _trouble(world)
        calm = 0 if trouble else calm + 1
        if calm == CALM_S:
            _prove(world)
            return second - CALM_S + 1
    raise BrokenPromiseError("P8", f"after {CATCH_UP_S} s without a fault: {trouble}")


def _ask_to_go_on(world: World, second: int) -> None:
    if second % 10 != 5 or world.asked:
        return
    grid = world.nodes[STRATEGY].machine.grid(GRID)
    if world.nodes[EXECUTION].machine.account(ACCOUNT).halted:
        world.command(ResumeAccount(), f"account:{ACCOUNT}")
    if PAUSED in grid.pauses or FAULT in grid.pauses:
        world.command(ResumeGrid(), f"grid:{GRID}")


def _trouble(world: World) -> str:
    """What is not well yet; "" when all is."""
    account = world.nodes[EXECUTION].machine.account(ACCOUNT)
    grid = world.nodes[STRATEGY].machine.grid(GRID)
    newest = world.nodes[STRATEGY].machine.newest_price(MARKET)
    if not account.is_certain:
        return (
            f"the account is {account.phase}, differs {account.differs}, doubt {account.doubt}, found {account.found}"
        )
    if account.flights or account.queued or account.orphans or account.foreign:
        return f"in flight {len(account.flights)}, queued {list(account.queued)}, orphans {list(account.orphans)}"
    if not grid.is_trading:
        return f"the grid is {grid.status}, paused {grid.pauses}"
    change = plan(grid, reference_e6(grid, newest), world.now_ns, NO_CELLS)
    if not change.is_empty or change.roll_at_ns:
        return f"the window is not what it should be: {change}"
    wanted = {order.intent_id for order in grid.orders.values()}
    if wanted != set(account.attempts) or not wanted:
        return f"wanted {sorted(wanted)}, open {sorted(account.attempts)}"
    held = {order.order_id for order in world.chain.read().orders}
    if held != {attempt.order_id for attempt in account.attempts.values()}:
        return f"on the venue {sorted(held)}, open {account.attempts}"
    return (
        "" if all(not n.process.unpublished() for n in world.nodes.values() if n.process) else "an outbox is not empty"
    )


def _prove(world: World) -> None:
    """All is well: then nothing may be left that does not add up."""
    account = world.nodes[EXECUTION].machine.account(ACCOUNT)
    ledger = world.nodes[LEDGER].machine.state
    world.checks.books_agree(account, ledger)
    world.checks.one_order_each()
    world.fold_all()
    held_e9 = ledger.grids[GRID].sums.position.base_e9
    position = account.positions.get(0)
    demand(held_e9 == (position.base_e9 if position else 0), "P4", f"the grid's books hold {held_e9}, not {position}")
    grid_e9 = world.nodes[STRATEGY].machine.grid(GRID).position_e9
    demand(grid_e9 == held_e9, "P4", f"the grid holds {grid_e9}, its books {held_e9}")
    demand(world.checks.residuals and not world.checks.residuals[-1], "BOOKS", f"residuals {world.checks.residuals}")
