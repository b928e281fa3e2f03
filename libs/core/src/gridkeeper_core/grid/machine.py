"""The strategy service's pure part: routes inputs to grids and keeps their states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import decide, edit, flags, heard, oracle, risk, rules, waits
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.ended import packed, unpacked
from gridkeeper_core.grid.evolve import begin, evolve, find
from gridkeeper_core.grid.heard import then_nothing
from gridkeeper_core.grid.proven import grid_digest
from gridkeeper_core.grid.state import FAULT, PAUSED, POSITION_DIFFERS, RISK, STALE_PRICE, GridState
from gridkeeper_core.grid.triggers import reference_e6, stale_after_ns
from gridkeeper_core.grid.window import NO_CELLS, Change, plan
from gridkeeper_core.inputs import (
    Command,
    EditGrid,
    EventSeen,
    FlagGrid,
    Input,
    PauseGrid,
    PriceTick,
    ProposeGrid,
    ResumeGrid,
    StopGrid,
    Wake,
    cause_of,
)
from gridkeeper_core.machine import Draft
from gridkeeper_core.names import check_id, grid_of, split_stream, stream
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded

RESUMABLE = (PAUSED, RISK, FAULT, POSITION_DIFFERS)
"""Pauses that a person ends; the others end by themselves when their cause is gone."""


OVER = ("stopped", "rejected")
"""Grids that nothing concerns any more."""


class _Watch(msgspec.Struct):
    """What a grid waits for, derived from its state: a price outside of the band, or a moment (0 = none)."""

    low_e6: int
    high_e6: int
    again_ns: int


class StrategyMachine:
    """All grids of one shard. See `gridkeeper_core.machine.Machine`."""

    def __init__(self) -> None:
        self._grids: dict[str, GridState | bytes] = {}
        self._standing: dict[str, None] = {}
        self._watches: dict[str, _Watch] = {}
        self._decided: dict[str, tuple[Change, Price | None, int]] = {}
        self._newest: dict[str, Price] = {}
        self._restored_ns: dict[str, int] = {}
        self._replayed: frozenset[str] | None = None
        self._told_markets: frozenset[str] = frozenset()

    # ------------------------------------------------------------ Machine

    def accept(self, item: Input) -> list[Draft]:
        """Decide on one input; see `Machine.accept`."""
        match item:
            case PriceTick():
                return self._price(item)
            case EventSeen():
                return self._event(item)
            case Wake():
                due = [g for g in self._those_standing() if self._is_due(g, item.now_ns)]
                return [draft for grid in due for draft in self._decide(grid, item, lambda _: NO_CELLS)]
            case Command():
                return self._command(item)
            case _:
                return []

    def restore(self, event: Recorded) -> None:
        """Fold one stored event of a `grid:` stream."""
        grid_id = split_stream(event.stream)[1]
        if isinstance(event.fact, e.PriceSeen):
            self._note_price(event.fact.price)
        self._restored_ns[grid_id] = event.ts_ns
        self._watches.pop(grid_id, None)
        self._decided.pop(grid_id, None)
        self._fold(grid_id, event.fact, event.ts_ns)

    def hear(self, price: Price) -> None:
        """Note a price without deciding on it: for a replay, which learns from the record what was the newest one."""
        self._newest[price.market] = price

    def decide_for(self, grid_ids: frozenset[str], markets: frozenset[str]) -> None:
        """For a replay: the next input led these grids to something; of these markets the newest price is known.

        Whatever made a grid look then, it looks now. Grids of other markets came to nothing, which left them as they
        were; what prices they knew is not in the record.
        """
        self._replayed, self._told_markets = grid_ids, markets

    def next_wake_ns(self) -> int | None:
        """The earliest moment at which time alone leads some grid to an event."""
        moments = (self._wake_of(grid) for grid in self._those_standing())
        return min((m for m in moments if m is not None), default=None)

    def next_timer_ns(self) -> int | None:
        """As `next_wake_ns` while prices keep coming: without the moment at which the newest one is too old."""
        moments = (self._watch(grid).again_ns for grid in self._those_standing() if grid.status == "open")
        return min((m for m in moments if m), default=None)

    def digests(self) -> dict[str, str]:
        """One digest per grid."""
        return {stream("grid", grid.grid_id): grid_digest(grid) for grid in self.grids()}

    def fault(self, item: Input, error: Exception) -> list[Draft] | None:
        """Stop the one grid that an input cannot be taken for; None when the input belongs to no single grid."""
        grid = self._known(_grid_id_of(item))
        if grid is None:
            return None
        faulted = e.GridFaulted(at_cause=cause_of(item), detail=f"{type(error).__name__}: {error}")
        return self._decide(grid, item, then_nothing(lambda d: d.add(faulted)))

    # ------------------------------------------------------------ views

    def grids(self) -> Iterator[GridState]:
        """All grids, in the order in which they were proposed."""
        for grid_id, kept in self._grids.items():
            yield kept if isinstance(kept, GridState) else unpacked(grid_id, kept)

    def grid(self, grid_id: str) -> GridState:
        """One grid. Raises GridkeeperError GRID_UNKNOWN."""
        grid = self._known(grid_id)
        if grid is None:
            raise GridkeeperError("GRID_UNKNOWN", field="grid", value=grid_id)
        return grid

    def newest_price(self, market: str) -> Price | None:
        """The newest price of a market, whether or not it led to anything."""
        return self._newest.get(market)

    def bands(self) -> dict[str, tuple[int, int]]:
        """Per market, the band inside of which (strictly) a price leads to no event."""
        bands: dict[str, tuple[int, int]] = {}
        for grid in self._those_standing():
            watch = self._watch(grid)
            low, high = bands.get(grid.config.market, (watch.low_e6, watch.high_e6))
            bands[grid.config.market] = (max(low, watch.low_e6), min(high, watch.high_e6))
        return bands

    # ------------------------------------------------------------ inputs

    def _price(self, item: PriceTick) -> list[Draft]:
        price = item.price
        self._newest[price.market] = price
        drafts: list[Draft] = []
        for grid in self._those_standing():
            if grid.config.market != price.market:
                continue
            watch = self._watch(grid)
            is_calm = watch.low_e6 < price.oracle_e6 < watch.high_e6 and not oracle.is_news(grid, price)
            if not is_calm or grid.grid_id in (self._replayed or ()):
                drafts += self._decide(grid, item, lambda _: NO_CELLS)
        return drafts

    def _event(self, item: EventSeen) -> list[Draft]:
        fact = item.event.fact
        if isinstance(fact, e.OrderClosed) and fact.reason == "filled" and self._is_over(fact.intent_id):
            return []
        one = heard.by_one(fact)
        if one is not None:
            grid_id, act = one
            grid = self._known(grid_id)
            return self._decide(grid, item, act) if grid is not None else []
        some = heard.by_all(fact)
        if some is None:
            return []
        concerns, act = some
        alias = split_stream(item.event.stream)[1]
        them = [grid for grid in self._those_standing() if grid.config.account == alias and concerns(grid)]
        return [draft for grid in them for draft in self._decide(grid, item, act)]

    def _command(self, item: Command) -> list[Draft]:
        grid_id = check_id(split_stream(item.target)[1], "grid.id")
        match item.body:
            case ProposeGrid():
                return self._propose(grid_id, item, item.body)
            case PauseGrid(keep_orders=keep):
                grid = self._in_status(grid_id, "pause", "open")
                return self._decide(
                    grid,
                    item,
                    then_nothing(lambda d: d.pause(PAUSED, item.author, item.reason, keep_orders=keep)),
                )
            case ResumeGrid():
                grid = self._in_status(grid_id, "resume", "open")
                risk.check_cooled(grid, item.now_ns)
                return self._decide(
                    grid, item, then_nothing(lambda d: decide.resume(d, RESUMABLE, item.author, item.reason))
                )
            case EditGrid() as body:
                grid = self._in_status(grid_id, "edit", "open")
                rules.check_settled(grid, "edit")
                return self._decide(
                    grid,
                    item,
                    then_nothing(
                        lambda d: edit.edit(d, body.config, body.source, item.author, item.reason, body.accepted)
                    ),
                )
            case FlagGrid(flag=flag):
                grid = self._in_status(grid_id, "flag", "open")
                rules.check_settled(grid, "flag")
                return self._decide(grid, item, then_nothing(lambda d: flags.flag(d, flag, item.author, item.reason)))
            case StopGrid(close=close):
                grid = self._in_status(grid_id, "stop", "open", "armed")
                stopping = e.GridStopping(close=close, author=item.author, reason=item.reason)
                return self._decide(grid, item, then_nothing(lambda d: d.add(stopping)))
            case _:
                raise GridkeeperError("BAD_USAGE", field="command", value=type(item.body).__name__)

    def _propose(self, grid_id: str, item: Command, body: ProposeGrid) -> list[Draft]:
        known = self._known(grid_id)
        if known is not None and known.status != "rejected":
            raise GridkeeperError("GRID_EXISTS", field="grid.id", value=grid_id)
        fact = e.GridProposed(
            config=body.config, source=body.source, author=item.author, reason=item.reason, accepted=body.accepted
        )
        self._keep(begin(grid_id, fact))
        return self._drafts(grid_id, item, [fact])

    def _in_status(self, grid_id: str, verb: str, *statuses: str) -> GridState:
        grid = self.grid(grid_id)
        if grid.status not in statuses:
            expected = f"{' or '.join(statuses)} to {verb} it"
            raise GridkeeperError("GRID_STATE", field="grid.state", value=grid.status, expected=expected)
        return grid

    def _is_over(self, intent_id: str) -> bool:
        """Whether an order left its grid with its last fill, which led to all that its end could lead to."""
        grid = self._known(grid_of(intent_id))
        return grid is not None and find(grid, intent_id) is None

    # ------------------------------------------------------------ deciding and folding

    def _decide(self, grid: GridState, item: Input, act: Callable[[Decision], frozenset[int]]) -> list[Draft]:
        if self._replayed is not None and not self._is_told(grid, self._replayed):
            return []
        d = Decision(grid, self._newest.get(grid.config.market), item.now_ns)
        change = decide.settle(d, act(d))
        # What the grid waits for is found when somebody asks: most decisions are followed by the next one at once.
        self._watches.pop(grid.grid_id, None)
        self._decided[grid.grid_id] = (change, d.newest, item.now_ns)
        self._keep(d.state)
        return self._drafts(grid.grid_id, item, d.facts)

    def _drafts(self, grid_id: str, item: Input, facts: Sequence[e.Fact]) -> list[Draft]:
        name, cause = stream("grid", grid_id), cause_of(item)
        key = item.key if isinstance(item, Command) else ""
        return [
            Draft(stream=name, ts_ns=item.now_ns, cause=cause, thread=getattr(fact, "intent_id", "") or key, fact=fact)
            for fact in facts
        ]

    def _is_told(self, grid: GridState, replayed: frozenset[str]) -> bool:
        return grid.grid_id in replayed or grid.config.market in self._told_markets

    def _fold(self, grid_id: str, fact: e.Fact, ts_ns: int) -> None:
        if isinstance(fact, e.GridProposed):
            self._keep(begin(grid_id, fact))
        else:
            self._keep(evolve(self.grid(grid_id), fact, ts_ns))  # type: ignore[arg-type]

    def _keep(self, grid: GridState) -> None:
        grid_id = grid.grid_id
        if grid.status in OVER:
            self._grids[grid_id] = packed(grid)
            self._standing.pop(grid_id, None)
            self._decided.pop(grid_id, None)
            self._watches.pop(grid_id, None)
            self._restored_ns.pop(grid_id, None)
        else:
            self._grids[grid_id] = grid
            self._standing[grid_id] = None

    def _known(self, grid_id: str) -> GridState | None:
        kept = self._grids.get(grid_id)
        return unpacked(grid_id, kept) if isinstance(kept, bytes) else kept

    def _those_standing(self) -> list[GridState]:
        """Grids that prices and time still concern: however many there were, those that ended cost nothing."""
        return [self.grid(grid_id) for grid_id in self._standing]

    # ------------------------------------------------------------ what each grid waits for

    def _watch(self, grid: GridState) -> _Watch:
        watch = self._watches.get(grid.grid_id)
        if watch is None:
            decided = self._decided.pop(grid.grid_id, None) or self._plan_again(grid)
            watch = self._watches[grid.grid_id] = _watch_for(grid, *decided)
        return watch

    def _plan_again(self, grid: GridState) -> tuple[Change, Price | None, int]:
        """After a restart: the plan as it was after the last stored event, the price and the time it was made at."""
        newest, restored_ns = self._newest.get(grid.config.market), self._restored_ns.get(grid.grid_id, 0)
        if newest is None or not grid.is_trading:
            return Change(), newest, restored_ns
        return plan(grid, reference_e6(grid, newest), restored_ns, NO_CELLS), newest, restored_ns

    def _note_price(self, price: Price) -> None:
        known = self._newest.get(price.market)
        if known is None or price.source_seq > known.source_seq:
            self._newest[price.market] = price

    def _wake_of(self, grid: GridState) -> int | None:
        newest = self._newest.get(grid.config.market)
        if grid.status != "open" or newest is None:
            return None
        moments = [self._watch(grid).again_ns] if self._watch(grid).again_ns else []
        if STALE_PRICE not in grid.pauses:
            moments.append(stale_after_ns(grid, newest) + 1)
        return min(moments, default=None)

    def _is_due(self, grid: GridState, now_ns: int) -> bool:
        if self._replayed is not None and grid.grid_id in self._replayed:
            return True
        wake_ns = self._wake_of(grid)
        return wake_ns is not None and wake_ns <= now_ns


def _watch_for(grid: GridState, change: Change, newest: Price | None, now_ns: int) -> _Watch:
    low_e6, high_e6 = waits.band(grid, newest)
    return _Watch(low_e6, high_e6, waits.next_look_ns(grid, change, now_ns))


def _grid_id_of(item: Input) -> str:
    match item:
        case EventSeen():
            fact = item.event.fact
            return getattr(fact, "grid_id", "") or grid_of(getattr(fact, "intent_id", ""))
        case Command():
            return split_stream(item.target)[1]
        case _:
            return ""
