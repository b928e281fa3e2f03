"""Strategy, execution and ledger around the real adapters of the chain, in one process, on simulated time.

What a service keeps in its event log is kept in `MemoryLog`, encoded; everything else is lost when the system crashes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from solders.keypair import Keypair

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import Command, CommandBody, EventSeen, Input, PriceTick, ProposeGrid, Wake
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.machine import Draft, Machine
from gridkeeper_core.names import split_stream
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import GENESIS, Recorded, decode, encode
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.records import VenueAccount
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.venue import Account, DriftVenue
from gridkeeper_execution.chain_desk import ChainDesk
from gridkeeper_runtime.logs import Logger
from support.in_memory import SECOND_URL, URL, InMemorySandbox

ALIAS = "main"
ABSENT = "absent"
MARKET = "SOL-PERP"
KEYPAIR = Keypair.from_seed(bytes(range(32)))
READS = {"strategy": ("execution",), "execution": ("strategy",), "ledger": ("strategy", "execution")}


class CrashError(Exception):
    """The process dies here."""


class MemoryLog:
    """What is durable: events as they are stored, who wrote them, and how far each reader is."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, bytes]] = []
        self.positions = dict.fromkeys(READS, 0)
        self._versions: dict[str, int] = {}

    def append(self, writer: str, drafts: Sequence[Draft]) -> list[Recorded]:
        """One commit."""
        done = []
        for draft in drafts:
            version = self._versions.get(draft.stream, 0) + 1
            self._versions[draft.stream] = version
            event = Recorded(
                stream=draft.stream,
                version=version,
                ts_ns=draft.ts_ns,
                cause=draft.cause,
                thread=draft.thread,
                prev=GENESIS,
                fact=draft.fact,
            )
            self.stored.append((writer, encode(event)))
            done.append(event)
        return done

    def events(self) -> list[Recorded]:
        """Everything recorded, in order."""
        return [decode(stored) for _, stored in self.stored]

    def facts(self, *kinds: type[e.Fact]) -> list[Any]:
        """The facts of these kinds, in order."""
        return [event.fact for event in self.events() if isinstance(event.fact, kinds)]


class MemorySystem:
    """One account on an in-memory chain. `start` it inside `run_simulated`; after `crash`, `start` it again.

    With `absent` another one is named before it, of that key, which the chain does not have.
    `at` is called with the name of each step execution is about to take, and may raise CrashError.
    """

    def __init__(
        self,
        chain: InMemorySandbox,
        log: MemoryLog,
        *,
        at: Callable[[str], None] = lambda _: None,
        reconcile_s: float = 20.0,
        absent: Keypair | None = None,
        signer: type[Signer] = Signer,
    ) -> None:
        self.chain = chain
        self.reconcile_s = reconcile_s
        self.absent = absent
        self.signer = signer
        self.log = log
        self.at = at
        self.deaths = 0
        self._is_dead = False
        self._tasks: list[asyncio.Task[None]] = []
        self._commands = 0
        self._unheard = 0

    # ------------------------------------------------------------ life

    async def start(self) -> None:
        """A new process: machines from the log, adapters that know nothing, and the boot."""
        self._is_dead = False
        rpc = RpcClient(
            URL, second_url=SECOND_URL, per_second=200, commitment="confirmed", transport=self.chain.transport
        )
        keypairs = {ABSENT: self.absent, ALIAS: KEYPAIR} if self.absent is not None else {ALIAS: KEYPAIR}
        self.venue = DriftVenue(
            rpc, [Account(name, key.pubkey(), 0, self.signer(key)) for name, key in keypairs.items()]
        )
        rules = {name: AccountRules(watches_sol=True) for name in keypairs}
        self.desk = ChainDesk(self.venue, rules, poll_s=1.0, reconcile_s=self.reconcile_s)
        self.execution = ExecutionMachine(self._sign, rules)
        self.strategy = StrategyMachine()
        self.ledger = LedgerMachine()
        self._machines: dict[str, Machine] = {
            "strategy": self.strategy,
            "execution": self.execution,
            "ledger": self.ledger,
        }
        for writer, stored in self.log.stored:
            self._machines[writer].restore(decode(stored))
        self.desk.bind(self.execution, self, lambda: self.chain.now_ns(), Logger("memory"))
        self._send, self.venue.send = self.venue.send, self._sent  # type: ignore[method-assign]
        await self.venue.__aenter__()
        self.desk.begin()
        self._pump()
        work = (self._work(), self.venue.sender.keep_ready(), self._keep_time())
        self._tasks = [asyncio.create_task(task) for task in work]

    async def crash(self) -> None:
        """Everything that is not in the log is gone."""
        self.deaths += 1
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            try:
                await task
            except asyncio.CancelledError:
                continue
            except (CrashError, ExceptionGroup) as error:
                if not _is_crash(error):
                    raise
        await self.venue.__aexit__(None, None, None)

    async def restarted_if_dead(self) -> None:
        """As a supervisor does."""
        for task in self._tasks:
            if task.done() and not _is_crash(task.exception()):
                raise AssertionError("a task ended") from task.exception()
        while self._is_dead:
            await self.crash()
            with contextlib.suppress(CrashError):
                await self.start()

    # ------------------------------------------------------------ what a person and the market do

    def unheard_price(self, usd: float, size_e9: int) -> None:
        """A trade that only the chain hears of, because nobody is there."""
        self._unheard += 1
        sandbox = self.chain.sandbox
        sandbox.tick()
        row = Price(
            market=MARKET,
            source="test",
            source_seq=10**6 + self._unheard,
            ts_ns=sandbox.now_ns,
            oracle_e6=round(usd * 10**6),
            size_e9=size_e9,
        )
        sandbox.take_rows(MARKET, sandbox.now_ns, (row,))

    def price(self, usd: float) -> None:
        """A row: the chain takes it, then everybody hears of it."""
        taken = self.chain.price(usd)
        assert taken is not None
        number = int(self.chain.now_ns() // 10**6)
        price = Price(
            market=MARKET, source="test", source_seq=number, ts_ns=self.chain.now_ns(), oracle_e6=round(usd * 10**6)
        )
        for name in READS:
            self._accept(name, PriceTick(now_ns=self.chain.now_ns(), price=price))
        self._pump()

    def propose(self, config: GridConfig) -> None:
        """A person creates a grid."""
        self.command(f"grid:{config.grid_id}", ProposeGrid(config=config, source=""))

    def command(self, target: str, body: CommandBody) -> None:
        """A person gives a command."""
        self._commands += 1
        item = Command(
            now_ns=self.chain.now_ns(),
            key=f"k{self._commands}",
            author="ann",
            reason="test",
            target=target,
            body=body,
        )
        self._accept("execution" if split_stream(target)[0] == "account" else "strategy", item)
        self._pump()

    # ------------------------------------------------------------ what is so

    @property
    def account(self) -> AccountState:
        """What execution knows."""
        return self.execution.account(ALIAS)

    async def truth(self) -> VenueAccount:
        """The account as the chain has it, by an endpoint that meets no fault."""
        rpc = RpcClient(SECOND_URL, per_second=1000, commitment="confirmed", transport=self.chain.transport)
        async with DriftVenue(rpc, [Account(ALIAS, KEYPAIR.pubkey(), 0, Signer(KEYPAIR))]) as venue:
            return (await venue.read_accounts())[ALIAS]

    # ------------------------------------------------------------ the desk's inbox

    def offer(self, item: Input) -> asyncio.Future[list[Recorded]]:
        """Takes an input at once."""
        done: asyncio.Future[list[Recorded]] = asyncio.get_running_loop().create_future()
        done.set_result(self._accept("execution", item))
        return done

    async def submit(self, item: Input) -> list[Recorded]:
        """Takes an input, and lets everybody else react."""
        recorded = self._accept("execution", item)
        self._pump()
        return recorded

    # ------------------------------------------------------------ inside

    def _die_here(self, step: str) -> None:
        """Once a step has killed the process nothing more happens in it."""
        if self._is_dead:
            raise CrashError(step)
        try:
            self.at(step)
        except CrashError:
            self._is_dead = True
            raise

    async def _sent(self, signed: Any, *, places: bool = True) -> None:
        self._die_here("before send")
        await self._send(signed, places=places)
        self._die_here("after send")

    def _sign(self, roll: Any) -> Any:
        self._die_here("before sign")
        signed = self.desk.sign(roll)
        self._die_here("after sign")
        return signed

    def _accept(self, name: str, item: Input, read_to: int | None = None) -> list[Recorded]:
        """Events and the reader's new position (`read_to`) are one commit, as in the services' event logs."""
        if self._is_dead:
            raise CrashError(name)
        drafts = self._machines[name].accept(item)
        kinds = sorted({type(draft.fact).__name__ for draft in drafts})
        for kind in kinds:
            self._die_here(f"before {kind}")
        recorded = self.log.append(name, drafts)
        if read_to is not None:
            self.log.positions[name] = read_to
        for kind in kinds:
            self._die_here(f"after {kind}")
        if name == "execution" and recorded:
            self.desk.on_committed(recorded)
        return recorded

    def _pump(self) -> None:
        """Every event to its readers, until nobody has anything to say."""
        moved = True
        while moved:
            moved = False
            for name, writers in READS.items():
                position = self.log.positions[name]
                if position >= len(self.log.stored):
                    continue
                moved = True
                writer, stored = self.log.stored[position]
                if writer in writers:
                    self._accept(name, EventSeen(now_ns=self.chain.now_ns(), event=decode(stored)), position + 1)
                else:
                    self.log.positions[name] = position + 1

    async def _work(self) -> None:
        await self.desk.until_booted([MARKET])
        async with asyncio.TaskGroup() as group:
            group.create_task(self.desk.keep_sending())
            group.create_task(self.desk.keep_looking())
            group.create_task(self.desk.keep_reading_markets([MARKET]))

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            self._pump()
            for name, machine in self._machines.items():
                due = machine.next_wake_ns()
                if due is not None and due <= self.chain.now_ns():
                    self._accept(name, Wake(now_ns=due))
            self._pump()


def _is_crash(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_crash(inner) for inner in error.exceptions)
    return isinstance(error, CrashError)


def grid(**changes: object) -> GridConfig:
    """A fine neutral grid around 150 with 0.1 SOL per cell."""
    settings: dict[str, object] = {
        "grid_id": "tale",
        "market": MARKET,
        "lower_e6": 145 * 10**6,
        "upper_e6": 155 * 10**6,
        "intervals": 40,
        "spacing": "arithmetic",
        "size_base_e9": 10**8,
        "live_orders": 10,
        "risk_enabled": False,
        "roll_interval_ns": NS_PER_S,
    }
    return GridConfig(**(settings | changes))  # type: ignore[arg-type]
