"""Execution's hands on the chain: sends what is committed, walks what happened, reads the accounts, in one order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

import gridkeeper_drift.codecs.orders  # noqa: F401  # takes a while: now, not at the first order
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import AccountSnapshot, AdoptionWanted, DifferenceSuspected
from gridkeeper_core.inputs import (
    AccountBooted,
    AccountRead,
    EndpointMoved,
    Input,
    MarketRead,
    TransactionGone,
    TransactionSeen,
    TransactionVanished,
    Wake,
)
from gridkeeper_core.names import split_stream
from gridkeeper_core.orders.decide import RollTooLargeError
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.reconcile import same_books
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import InFlight
from gridkeeper_core.record import Recorded
from gridkeeper_core.requests import FundingView
from gridkeeper_core.venue.records import Roll, Signed, VenueAccount
from gridkeeper_drift.codecs.accounts import funding_of
from gridkeeper_drift.failure import CannotSignError, RpcRefusedError, RpcUnreachableError, TransactionTooLargeError
from gridkeeper_drift.poller import Poll
from gridkeeper_drift.sender import Gone, Landed
from gridkeeper_drift.venue import DriftVenue
from gridkeeper_drift.walker import Walk
from gridkeeper_execution.metrics import AccountMeter, show_breakers
from gridkeeper_execution.unsigned import Unsigned
from gridkeeper_runtime.logs import Logger

RESEND_S = 2.0
OUTCOME_EVERY_S = 0.4
WALK_AT_LEAST_S = 10.0
"""How often an account is walked while something it was told of is not final yet."""
WALK_IDLE_S = 300.0
MARKETS_EVERY_S = 300.0
MARKETS_GUARDED_S = 10.0
RPC_PAUSE_S = 1.0
SNAPSHOT_ATTEMPTS = 25
RECHECK_S = 1.0
"""How soon a difference is looked at again, at a later slot."""


class Inbox(Protocol):
    """Takes inputs in order and commits what follows from them."""

    def offer(self, item: Input) -> asyncio.Future[list[Recorded]]:
        """Queue an input; what it led to once that is committed."""

    async def submit(self, item: Input) -> list[Recorded]:
        """Queue an input and wait until what it led to is committed."""


class ChainDesk:
    """One endpoint, all accounts by alias with their rules. `venue` is open; the inbox is not taking inputs yet."""

    def __init__(
        self, venue: DriftVenue, accounts: Mapping[str, AccountRules], *, poll_s: float, reconcile_s: float
    ) -> None:
        self._venue = venue
        self._rules = dict(accounts)
        self._aliases = tuple(accounts)
        self._poll_s = poll_s
        self._reconcile_s = reconcile_s
        self._cursors: dict[str, str] = {}
        self._cursor_slots: dict[str, int] = {}
        self._sent_s: dict[str, float] = {}
        self._walked_s: dict[str, float] = {}
        self._reconciled_s: dict[str, float] = {}
        self._kept: dict[str, int] = {}
        self._delegates: dict[str, str] = {}
        self._to_send = asyncio.Event()
        self._to_look = asyncio.Event()
        self._looking = asyncio.Lock()
        self._is_unsigned = False
        self.meter = AccountMeter()
        self.lamports: dict[str, int] = {}
        self._funding: dict[str, FundingView] = {}
        self._begun: list[asyncio.Future[list[Recorded]]] = []
        self.trouble = "The chain was not read yet."

    def bind(self, machine: ExecutionMachine, inbox: Inbox, now_ns: Callable[[], int], log: Logger) -> None:
        """The machine, and what takes what is found for it; known only after all were made."""
        self._machine = machine
        self._inbox = inbox
        self._now_ns = now_ns
        self._log = log
        self._unsigned = Unsigned(log)

    # ------------------------------------------------------------ called by machine and shell

    def sign(self, roll: Roll) -> Signed | None:
        """See `gridkeeper_core.orders.decide.Signer`."""
        try:
            signed = self._venue.sign(roll)
        except CannotSignError as error:
            self._is_unsigned = True
            self._unsigned.note(roll.alias, error)
            return None
        except TransactionTooLargeError as error:
            raise RollTooLargeError from error
        self._unsigned.clear(roll.alias)
        return signed

    def on_committed(self, recorded: list[Recorded]) -> None:
        """A signed transaction is sent as soon as it is committed, never before."""
        self.meter.count(recorded)
        for event in recorded:
            if isinstance(event.fact, AccountSnapshot):
                alias = split_stream(event.stream)[1]
                self._kept[alias] = self._kept.get(alias, 0) + 1
        if any(event.stream.startswith("tx:") for event in recorded):
            self._to_send.set()
        if any(isinstance(event.fact, AdoptionWanted | DifferenceSuspected) for event in recorded):
            self._to_look.set()

    def in_flight(self) -> int:
        """Transactions whose outcome is not known yet."""
        return sum(len(account.flights) for account in self._machine.accounts())

    def unready(self) -> list[str]:
        """Why orders cannot be carried out now."""
        recovering = [a.alias for a in self._machine.accounts() if a.phase != "live"]
        reasons = ([self.trouble] if self.trouble else []) + self._unsigned.reasons()
        if all(endpoint.phase == "open" for endpoint in self._venue.rpc.endpoints):
            reasons.append("Every endpoint failed too often and rests for a while.")
        return reasons + [f"Account {alias} is not reconciled with the venue yet." for alias in recovering]

    async def funding(self) -> list[FundingView]:
        """The funding rates of the markets that are traded, as set now; as read last where the endpoint is away."""
        with suppress(RpcUnreachableError):
            found = await self._venue.poll()
            rates = (funding_of(market.account, market.price.price_e6) for market in found.markets.values())
            self._funding |= {rate.market: rate for rate in rates if rate is not None}
        return list(self._funding.values())

    # ------------------------------------------------------------ tasks

    def begin(self) -> None:
        """Queue the first input of this life for every account: what the record says of the venue is old.

        To be called before anything else can be queued, so that nothing is decided on an account as it was.
        """
        offer = self._inbox.offer
        self._begun = [offer(AccountBooted(now_ns=self._now_ns(), alias=alias)) for alias in self._aliases]

    async def boot(self, symbols: Sequence[str]) -> None:
        """From recovering, which every account has begun as, to live: only when venue and record agree."""
        await asyncio.gather(*self._begun)
        await self._venue.prepare()
        for alias in self._aliases:
            self._venue.remember(alias, self._machine.account(alias).not_final())
        await self._read_markets(symbols)
        await self.send_due(at_once=True)
        await self.look(reconcile=True)

    async def until_booted(self, symbols: Sequence[str]) -> None:
        """Boot, as often as it takes: the endpoint may be away, the account may not exist yet."""
        while self.trouble:
            await self._guarded(self.boot(symbols))

    async def keep_sending(self) -> None:
        """Send, and send again, whatever is in flight; find out when it can never land."""
        while True:
            await _wait(self._to_send, OUTCOME_EVERY_S if self.in_flight() else None)
            await self._guarded(self.send_due())

    async def keep_looking(self) -> None:
        """Poll for ever; a sent transaction brings the next poll forward."""
        while True:
            await _wait(self._to_look, min(self._poll_s, OUTCOME_EVERY_S) if self.in_flight() else self._poll_s)
            await self._guarded(self.look())

    def look_soon(self) -> None:
        """Bring the next poll forward: somebody says that an account changed."""
        self._to_look.set()

    async def keep_reading_markets(self, symbols: Sequence[str]) -> None:
        """The venue's admin may change a market at any time; one that stops placing is soon looked at again."""
        while True:
            is_guarded = any(market for account in self._machine.accounts() for _, market in account.guards)
            await asyncio.sleep(MARKETS_GUARDED_S if is_guarded else MARKETS_EVERY_S)
            await self._guarded(self._read_markets(symbols))

    # ------------------------------------------------------------ sending

    async def send_due(self, *, at_once: bool = False) -> None:
        """Send the bytes of every transaction in flight that was not sent for a while, and ask what became of it."""
        asked: dict[str, tuple[str, InFlight]] = {}
        for account, flight in [(a, f) for a in self._machine.accounts() for f in a.flights]:
            now_s = _now_s()
            if at_once or now_s - self._sent_s.get(flight.signature, -RESEND_S) >= RESEND_S:
                is_first = flight.signature not in self._sent_s
                self._sent_s = {s: at for s, at in self._sent_s.items() if now_s - at < 600} | {flight.signature: now_s}
                await self._send(flight)
                self._to_look.set()
                if is_first:
                    continue
            asked[flight.signature] = (account.alias, flight)
        if asked:
            await self._ask(asked)

    async def _send(self, flight: InFlight) -> None:
        signed = Signed(
            signature=flight.signature,
            bytes_base64=flight.bytes_base64,
            blockhash="",
            last_valid_block_height=flight.last_valid_block_height,
        )
        try:
            await self._venue.send(signed, places=bool(flight.places))
        except RpcRefusedError as refusal:
            # A refusal proves nothing about what earlier sends of the same bytes did: only the outcome counts.
            self._log.warning("The endpoint refused a transaction.", signature=flight.signature, cause=refusal)

    async def _ask(self, asked: Mapping[str, tuple[str, InFlight]]) -> None:
        """Of all at once: fifty accounts in flight must not cost fifty times the requests of one."""
        outcomes = await self._venue.outcomes({s: flight.last_valid_block_height for s, (_, flight) in asked.items()})
        for signature, outcome in outcomes.items():
            if isinstance(outcome, Gone):
                item = TransactionGone(
                    now_ns=self._now_ns(),
                    alias=asked[signature][0],
                    signature=signature,
                    block_height=outcome.block_height,
                )
                await self._inbox.submit(item)
            elif isinstance(outcome, Landed):
                self._to_look.set()

    # ------------------------------------------------------------ looking

    async def look(self, *, reconcile: bool = False, keeps: bool = False) -> int:
        """Poll the accounts, walk those that changed, compare when it is time. The number of transactions met."""
        async with self._looking:
            found = await self._venue.poll()
            count = 0
            missing = [alias for alias in self._aliases if alias not in found.users]
            for alias in [alias for alias in self._aliases if alias in found.users]:
                now_s = _now_s()
                is_due = reconcile or self._is_due(alias, now_s) or self._is_lent_otherwise(alias, found)
                patience_s = WALK_AT_LEAST_S if self._venue.waits_for_finality(alias) else WALK_IDLE_S
                is_old = now_s - self._walked_s.get(alias, -1e9) >= patience_s
                account = self._machine.account(alias)
                if alias in found.changed or account.flights or is_due or is_old:
                    count += await self._walk(alias)
                if is_due or account.phase != "live":
                    await self._reconcile(alias, keeps=keeps)
            self.trouble = ""
            await self._tell_endpoints()
            await self._sign_again()
            if missing:  # only now: the orders of the others are looked after all the same
                raise GridkeeperError(
                    "ACCOUNT_UNKNOWN", field="account", value=missing[0], do="Create it on the venue."
                )
            return count

    async def snapshot(self) -> None:
        """Keep a snapshot of every account; one that is in doubt, or never holds still, goes without."""
        kept = dict(self._kept)
        for _ in range(SNAPSHOT_ATTEMPTS):
            await self.look(reconcile=True, keeps=True)
            if all(self._kept.get(alias, 0) > kept.get(alias, 0) for alias in self._aliases):
                return
            await asyncio.sleep(OUTCOME_EVERY_S)

    def _is_due(self, alias: str, now_s: float) -> bool:
        """Every so often; at once after the endpoint was away, and soon where something is in doubt."""
        account = self._machine.account(alias)
        since_s = now_s - self._reconciled_s.get(alias, -1e9)
        return since_s >= self._reconcile_s or bool(self.trouble) or (account.is_in_doubt and since_s >= RECHECK_S)

    def _is_lent_otherwise(self, alias: str, found: Poll) -> bool:
        """Whether the owner named another delegate: who may sign must not wait for the next comparison."""
        delegate = str(found.users[alias].delegate)
        return delegate != self._delegates.get(alias, delegate)

    async def _sign_again(self) -> None:
        """What could not be signed stays queued for the next input, and while prices are silent none may come."""
        if self._is_unsigned:
            self._is_unsigned = False
            await self._inbox.submit(Wake(now_ns=self._now_ns()))

    async def _walk(self, alias: str) -> int:
        state = self._machine.account(alias)
        walk = await self._venue.walk(alias, self._cursors.get(alias, state.cursor))
        self._walked_s[alias] = _now_s()
        if state.has_baseline:
            await self._take(alias, walk)
        # What happened before the first snapshot is in the snapshot.
        self._cursors[alias] = walk.cursor
        self._cursor_slots[alias] = walk.cursor_slot
        return len(walk.transactions)

    async def _tell_endpoints(self) -> None:
        """What breakers did concerns every account that they serve."""
        changes = self._venue.endpoint_changes()
        show_breakers(self._venue.rpc.endpoints, [(change.alias, change.phase) for change in changes if change.alias])
        for change in changes:
            for alias in [change.alias] if change.alias else self._aliases:
                item = EndpointMoved(
                    now_ns=self._now_ns(), alias=alias, endpoint=change.name, state=change.phase, detail=change.detail
                )
                await self._inbox.submit(item)

    async def _take(self, alias: str, walk: Walk) -> None:
        """Offer all of a walk at once, so that nothing comes between two transactions."""
        now_ns = self._now_ns()
        offer = self._inbox.offer
        done = [offer(TransactionVanished(now_ns=now_ns, alias=alias, signature=s)) for s in walk.vanished]
        done += [offer(TransactionSeen(now_ns=now_ns, alias=alias, transaction=t)) for t in walk.transactions]
        if any(transaction.logs_truncated for transaction in walk.transactions):
            self._reconciled_s.pop(alias, None)  # what the log lacks, the account's counters may prove
        await asyncio.gather(*done)

    async def _reconcile(self, alias: str, *, keeps: bool) -> None:
        """Compare only what surely belongs together: the account did not change while its signatures were walked."""
        again = await self._venue.poll()
        state = self._machine.account(alias)
        if alias in again.changed or state.flights:
            self._to_look.set()
            return
        read: VenueAccount = self._venue.account_of(again, alias)
        # One endpoint may be wrong, or behind; whether two agree matters only where a difference is to be believed.
        asks_second = self._venue.has_second_endpoint and state.is_in_doubt
        second = await self._venue.second_opinion(alias) if asks_second else None
        block_time_s = await self._venue.chain_time_s() if self._rules[alias].watches_clock else 0
        item = AccountRead(
            now_ns=self._now_ns(),
            account=read,
            cursor=self._cursors.get(alias, ""),
            cursor_slot=self._cursor_slots.get(alias, 0),
            endpoints=2 if asks_second else 1,
            agreed=not asks_second or (second is not None and same_books(read, second)),
            block_time_s=block_time_s,
            keeps=keeps,
        )
        self.lamports[alias] = read.lamports
        self._delegates[alias] = str(again.users[alias].delegate)
        await self._inbox.submit(item)
        self._reconciled_s[alias] = _now_s()

    async def _read_markets(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            spec = await self._venue.read_market(symbol, self._aliases[0] if self._aliases else "")
            found = await self._venue.poll()
            item = MarketRead(now_ns=self._now_ns(), spec=spec)
            if spec.index in found.markets:
                oracle = found.markets[spec.index].price
                item = replace(
                    item,
                    oracle_e6=oracle.price_e6,
                    oracle_confidence_e6=oracle.confidence_e6,
                    oracle_age_slots=max(0, found.slot - oracle.slot),
                )
            await self._inbox.submit(item)

    async def _guarded(self, work: Awaitable[object]) -> None:
        """An endpoint that is away is waited for; readiness says so meanwhile."""
        try:
            await work
        except RpcUnreachableError as away:
            self.trouble = str(away)
            # Now, and not when it is over: a breaker that is open for long is what somebody has to be told of.
            await self._tell_endpoints()
            await asyncio.sleep(RPC_PAUSE_S)
        except GridkeeperError as error:
            if error.code != "ACCOUNT_UNKNOWN":
                raise
            self.trouble = str(error)
            await asyncio.sleep(RPC_PAUSE_S)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
