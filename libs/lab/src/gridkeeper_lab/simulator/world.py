"""One simulated world: five services, their logs, the bus, the venue and everybody's clock, moved by a tape."""

from __future__ import annotations

from collections.abc import Callable

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import (
    Command,
    CommandBody,
    EventSeen,
    Input,
    PriceTick,
    ProposeGrid,
    Wake,
)
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.names import split_stream
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.prices.machine import FeedInput, FeedMachine, SegmentFinished, SourceBegan
from gridkeeper_core.prices.price import Price, price_cause
from gridkeeper_core.record import decode
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.records import Roll, Signed
from gridkeeper_core.venue.state import FillRules
from gridkeeper_lab.simulator.broken import BrokenPromiseError, DiedError, FencedError, demand
from gridkeeper_lab.simulator.chain import ACCOUNT, Chain
from gridkeeper_lab.simulator.checks import Checks
from gridkeeper_lab.simulator.desk import Desk
from gridkeeper_lab.simulator.node import Node
from gridkeeper_lab.simulator.process import AnyMachine, Process, Rules
from gridkeeper_lab.simulator.storage import Bus, Message

START_NS = 1_700_000_000 * NS_PER_S
MARKET = "SOL-PERP"
GRID = "tale"
SPEC = MarketSpec(
    symbol=MARKET,
    venue="drift",
    index=0,
    tick_e6=10_000,
    step_e9=E9 // 100,
    minimum_e9=E9 // 100,
    margin_ratio_initial_e4=1_000,
    margin_ratio_maintenance_e4=500,
    maker_fee_e5=-20,
    taker_fee_e5=100,
)
CONFIG = GridConfig(
    grid_id=GRID,
    market=MARKET,
    lower_e6=100 * E6,
    upper_e6=110 * E6,
    intervals=10,
    spacing="arithmetic",
    size_base_e9=E9,
    live_orders=6,
    hysteresis=1,
    roll_interval_ns=2 * NS_PER_S,
    order_life_ns=120 * NS_PER_S,
    risk_enabled=False,
)
FEED, STRATEGY, EXECUTION, LEDGER, NOTIFIER = "price_feed", "strategy", "execution", "ledger", "notifier"
READS: dict[str, tuple[str, ...]] = {
    FEED: (),
    STRATEGY: (EXECUTION,),
    EXECUTION: (STRATEGY,),
    LEDGER: (STRATEGY, EXECUTION),
    NOTIFIER: (FEED, STRATEGY, EXECUTION, LEDGER),
}
NODES = tuple(READS)
PRICE_READERS = (STRATEGY, EXECUTION, LEDGER)
SEGMENT_PRICES = 20
FOLD_EVERY = 60
"""After so many turns all state is folded anew and compared."""


class World:
    """`begin`, then any number of steps, then `finish`. Raises BrokenPromiseError as soon as something is wrong."""

    def __init__(self, rules: Rules) -> None:
        self.now_ns = START_NS
        self.bus = Bus()
        self.nodes = {name: Node(name) for name in NODES}
        self.chain = Chain(SPEC, FillRules(model="queue"), self._landing)
        self.checks = Checks({name: node.database for name, node in self.nodes.items()}, self.bus, self.chain)
        self.asked: dict[str, tuple[str, CommandBody]] = {}
        self.fenced = 0
        self.last_price = 0
        self.price_seq = 0
        self._rules = rules
        self._turns = 0
        self._segment_from = 1

    # ------------------------------------------------------------ what the tape does

    def begin(self) -> None:
        """All is well until the grid trades."""
        self.chain.advance(self.now_ns)
        self.chain.open_account(100_000 * E6)
        self.rest()
        self.pass_time(NS_PER_S)
        self.price(10_505, 0)
        self.rest()
        self.command(ProposeGrid(config=CONFIG, source=""), f"grid:{GRID}")
        self.rest()
        demand(self.chain.read().orders, "BEGIN", "no order rests after the grid was proposed")

    def pass_time(self, ns: int) -> None:
        """Everybody's clock goes on."""
        self.now_ns += ns
        self.chain.advance(self.now_ns)

    def clock_ns(self, node: Node) -> int:
        """What the host of a service says it is."""
        return self.now_ns + node.skew_ns

    def price(self, cents: int, size_e2: int) -> None:
        """A row: the venue trades it, and the feed tells whoever lives."""
        self.price_seq += 1
        self.last_price = cents
        price = Price(
            market=MARKET,
            source="tape",
            source_seq=self.price_seq,
            ts_ns=self.now_ns,
            oracle_e6=cents * 10_000,
            size_e9=size_e2 * 10**7,
        )
        self.checks.prices.add(price_cause(price))
        self.chain.row(price)
        feed = self.nodes[FEED]
        if feed.process is None:
            return
        for name in PRICE_READERS:
            self.nodes[name].newest = price
        if self.price_seq - self._segment_from >= SEGMENT_PRICES:
            self._guarded(feed, self._close_segment)

    def command(self, body: CommandBody, target: str) -> str:
        """A person asks for something, and asks again under the same key until it is answered."""
        key = f"k{len(self.checks.commands) + 1}"
        self.checks.commands.add(key)
        self.asked[key] = (target, body)
        return key

    def moves(self) -> list[Callable[[], None]]:
        """All that could happen next, were nothing to fail."""
        found: list[Callable[[], None]] = []
        for node in self.nodes.values():
            if node.process is None:
                found.append(lambda n=node: self._guarded(n, lambda: self._start(n)))  # type: ignore[misc]
                continue
            found += [self._move(node, act) for act in self._work_of(node, node.process)]
        found += [lambda p=place: self.chain.land(p) for place in self.chain.landable()[:2]]  # type: ignore[misc]
        return found

    def rest(self, most: int = 400) -> None:
        """Until nobody has anything to do."""
        for _ in range(most):
            moves = self.moves()
            if not moves:
                return
            moves[0]()
        raise BrokenPromiseError("REST", f"no rest after {most} moves")

    # ------------------------------------------------------------ what can be done to a service

    def kill(self, node: Node) -> None:
        """All that is not in its log is gone."""
        node.process = node.desk = node.machine = None
        node.newest = None
        node.dies_at = ""

    def take_over(self, node: Node) -> None:
        """A second copy starts while the first one only sleeps."""
        if node.process is None:
            return
        node.stale = (node.process, node.desk)
        self._guarded(node, lambda: self._start(node))

    def wake_stale(self, node: Node, choice: int) -> None:
        """The copy that slept goes on where it was: what it decides must be refused, if anything followed since."""
        if node.stale is None:
            return
        process, desk = node.stale
        works = self._work_of(node, process, desk)
        head = node.database.last_id, self.bus.count(node.name)
        is_behind = process.known_id != node.database.last_id
        try:
            if works:
                works[choice % len(works)]()
        except FencedError:
            self.fenced += 1
            node.stale = None
        except DiedError:
            node.stale = None
        after = node.database.last_id, self.bus.count(node.name)
        demand(not is_behind or after[0] == head[0], "P6", f"a copy of {node.name} wrote behind another's back")

    def deliver_again(self, node: Node, back: int) -> None:
        """A message comes a second time."""
        process = node.process
        for app in READS[node.name]:
            if process is None or not process.inbox.position(app):
                continue
            old = [m for m in self.bus.of[app] if m.id <= process.inbox.position(app)]
            message = old[-1 - back % len(old)]
            self._guarded(node, lambda m=message: self._take_messages(node, [m]))  # type: ignore[misc]

    def deliver_too_early(self, node: Node) -> None:
        """A message is lost on its way and the next one comes: the service must stop rather than go on."""
        process = node.process
        for app in READS[node.name]:
            waiting = self.bus.after(app, process.inbox.position(app)) if process is not None else []
            if len(waiting) > 1:
                self._guarded(node, lambda m=waiting[1]: self._take_messages(node, [m]))  # type: ignore[misc]
                return

    # ------------------------------------------------------------ inside: lives

    def _landing(self, signature: str) -> None:
        self.checks.landing(signature)

    def _start(self, node: Node) -> None:
        node.restarts += 1
        node.dies_at = ""
        node.machine = self._machine(node.name)
        process = Process(
            node.name,
            node.machine,
            node.database,
            self.bus,
            self._rules,
            lambda step: self._at(node, step),
            self.checks.committed,
        )
        node.process = process
        if node.name == FEED:
            began = SourceBegan(now_ns=self.clock_ns(node), market=MARKET, source="tape", first_seq=self.price_seq + 1)
            self._take(process, began)
        if node.name == EXECUTION:
            node.desk = Desk(
                process,
                node.machine,
                self.chain,
                lambda: self.now_ns,
                lambda: self.clock_ns(node),
                lambda step: self._at(node, step),
            )
            node.desk.boot(SPEC)

    def _sign(self, roll: Roll) -> Signed | None:
        signed = self.chain.sign(roll)
        self._at(self.nodes[EXECUTION], "signed")
        return signed

    def _machine(self, name: str) -> AnyMachine:
        match name:
            case "strategy":
                return StrategyMachine()
            case "execution":
                return ExecutionMachine(self._sign)
            case "ledger":
                return LedgerMachine()
            case "notifier":
                return NotifierMachine(Policy(channels=("terminal",)))
            case _:
                return FeedMachine()

    def _at(self, node: Node, step: str) -> None:
        if node.dies_at == step:
            raise DiedError(f"{node.name} was to die before {step}")

    def _guarded(self, node: Node, act: Callable[[], None]) -> None:
        try:
            act()
        except FencedError:
            self.fenced += 1
            self.kill(node)
        except DiedError:
            self.kill(node)

    def _move(self, node: Node, act: Callable[[], None]) -> Callable[[], None]:
        return lambda: self._guarded(node, act)

    # ------------------------------------------------------------ inside: work

    def _work_of(self, node: Node, process: Process, desk: Desk | None = None) -> list[Callable[[], None]]:
        desk = desk or node.desk
        found: list[Callable[[], None]] = []
        if process.unpublished():
            found.append(lambda: self._publish(node, process))
        ready = [app for app in READS[node.name] if self._ready(node, process, app)]
        found += [lambda a=app: self._take_next(node, process, a) for app in ready]  # type: ignore[misc]
        due_ns = process.due_ns()
        if due_ns is not None and due_ns <= self.clock_ns(node):
            found.append(lambda: self._take(process, Wake(now_ns=due_ns)))
        if desk is not None:
            found += [
                act
                for act, is_due in (
                    (desk.send, desk.unsent()),
                    (desk.tell_gone, desk.gone()),
                    (desk.walk, desk.wants_walk()),
                    (lambda: self._read(desk), desk.wants_read()),
                )
                if is_due
            ]
        if node.newest is not None:
            found.append(lambda: self._take_price(node, process))
        if process is node.process:
            found += [lambda k=key: self._ask(process, k) for key in self._asked_of(node.name)]  # type: ignore[misc]
        return found

    def _publish(self, node: Node, process: Process) -> None:
        is_acknowledged, node.is_unacknowledged = not node.is_unacknowledged, False
        process.publish(5, is_acknowledged=is_acknowledged)

    def _ready(self, node: Node, process: Process, app: str) -> list[Message]:
        """Messages that can be there already: what they were written after was taken before."""
        ready = []
        for message in self.bus.after(app, process.inbox.position(app))[:5]:
            after = message.row.after
            if any(after.get(other, 0) > process.inbox.position(other) for other in READS[node.name] if other != app):
                break
            ready.append(message)
        return ready

    def _take_next(self, node: Node, process: Process, app: str) -> None:
        self._take_messages(node, self._ready(node, process, app), process)

    def _take_messages(self, node: Node, messages: list[Message], process: Process | None = None) -> None:
        taker = process or node.process
        assert taker is not None
        now_ns = self.clock_ns(node)
        taker.take([(EventSeen(now_ns=now_ns, event=decode(m.row.body)), m) for m in messages])
        self._turned()

    def _take_price(self, node: Node, process: Process) -> None:
        price, node.newest = node.newest, None
        assert price is not None
        self._take(process, PriceTick(now_ns=self.clock_ns(node), price=price))

    def _take(self, process: Process, item: Input | FeedInput) -> None:
        process.take([(item, None)])
        self._turned()

    def _read(self, desk: Desk) -> None:
        desk.read()
        account = desk.account
        if account.phase == "live" and not account.is_in_doubt and not account.flights:
            self.checks.books_agree(account, None)
            self.checks.one_order_each(account.orphans.keys() | account.foreign.keys())

    def _asked_of(self, name: str) -> list[str]:
        kinds = {STRATEGY: "grid", EXECUTION: "account"}
        return [key for key, (target, _) in self.asked.items() if split_stream(target)[0] == kinds.get(name)]

    def _ask(self, process: Process, key: str) -> None:
        target, body = self.asked[key]
        now_ns = self.clock_ns(self.nodes[process.name])
        self._take(process, Command(now_ns=now_ns, key=key, author="ann", reason="test", target=target, body=body))
        del self.asked[key]

    def _close_segment(self) -> None:
        segment = PriceSegmentClosed(
            market=MARKET,
            file="",
            first_seq=self._segment_from,
            last_seq=self.price_seq,
            count=self.price_seq - self._segment_from + 1,
            sha256="",
        )
        feed = self.nodes[FEED]
        assert feed.process is not None
        self._take(feed.process, SegmentFinished(now_ns=self.clock_ns(feed), segment=segment))
        self._segment_from = self.price_seq + 1

    def _turned(self) -> None:
        self._turns += 1
        if self._turns % FOLD_EVERY == 0:
            self.fold_all()

    def fold_all(self) -> None:
        """P5: a fresh machine that folds the log is the machine that wrote it."""
        for node in self.nodes.values():
            if node.process is None or node.process.known_id != node.database.last_id:
                continue
            fresh = self._machine(node.name)
            for row in node.database.rows:
                fresh.restore(decode(row.body))
            demand(fresh.digests() == node.machine.digests(), "P5", f"{node.name} is not the fold of its log")
            if isinstance(fresh, ExecutionMachine):
                demand(fresh.account(ACCOUNT) == node.machine.account(ACCOUNT), "P5", "the account is not its fold")
