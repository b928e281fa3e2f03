"""What the doctor looks at of trading: prices, accounts, and the clock against the chain's."""

from __future__ import annotations

import time

import msgspec

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.prices import last_price
from gridkeeper_bus.requests import request
from gridkeeper_cli.client import Client
from gridkeeper_cli.doctor_check import Check, fail, ok, warn
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.quiet import Quiet, quiet_subject
from gridkeeper_core.requests import AccountView
from gridkeeper_core.units import NS_PER_S, duration_text
from gridkeeper_drift.failure import RpcRefusedError, RpcUnreachableError
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_runtime.datadir import RunFile

PRICE_WARN_NS = 10 * NS_PER_S
PRICE_FAIL_NS = 60 * NS_PER_S
TAPE_FROM_NS = 5 * NS_PER_S
"""A service whose clock is this far from the host's, on the host, goes by a tape."""
CLOCK_WARN_S = 2
CLOCK_FAIL_S = 10
RPC_TIMEOUT_S = 3.0


async def trading_checks(bus: Bus, run: RunFile, shard: int = 0) -> list[Check]:
    """Prices of every market, every account, the clock."""
    try:
        quiet = msgspec.json.decode(await request(bus, quiet_subject(shard, "strategy")), type=Quiet)
        client = Client(bus)
        markets = [spec.symbol for spec in await client.markets()]
        accounts = await client.accounts()
        traded = {grid.market for grid in await client.grids() if grid.state == "open"}
    except GridkeeperError as error:
        return [fail("trading", f"The services cannot be asked. {error.detail or error.meaning}", error.do)]
    is_tape = abs(time.time_ns() - quiet.now_ns) > TAPE_FROM_NS
    prices = [
        await _price(bus, market, quiet.now_ns, is_traded=market in traded, is_tape=is_tape) for market in markets
    ]
    no_market = [] if markets else [fail("prices", "The venue has told of no market yet.", "See service execution.")]
    return [*prices, *no_market, *map(_account, accounts), await _clock(run, is_tape=is_tape)]


async def _price(bus: Bus, market: str, now_ns: int, *, is_traded: bool, is_tape: bool) -> Check:
    title = f"price {market}"
    price = await last_price(bus, market)
    bad = fail if is_traded else warn
    if price is None:
        return bad(title, "There is none within the last hour.", "See service price-feed and its source.")
    age_ns = max(0, now_ns - price.ts_ns)
    age = duration_text(age_ns // NS_PER_S * NS_PER_S) if age_ns >= NS_PER_S else "Less than 1s"
    told = f"{age} old, from {price.source}."
    if is_tape:
        return ok(title, f"{told} It comes from a tape and goes by the tape's clock.")
    if age_ns >= PRICE_FAIL_NS:
        return bad(title, told, "No orders are placed on it. See service price-feed and its source.")
    if age_ns >= PRICE_WARN_NS:
        return warn(title, told, "See service price-feed and its source.")
    return ok(title, told)


def _account(view: AccountView) -> Check:
    title = f"account {view.alias}"
    if view.differs:
        told = "Books and venue do not agree; nothing new is placed."
        return fail(title, told, f"See `gridkeeper account show {view.alias}` and the venue.")
    if view.halted:
        return warn(title, f"Halted: {view.halted}.", f"`gridkeeper account resume {view.alias} --reason …`")
    if view.phase != "live":
        return warn(title, f"It is {view.phase}: not reconciled with the venue yet.", "Wait; see service execution.")
    return ok(title, f"Live, {view.open_orders} open orders, {view.free_slots} slots free.")


async def _clock(run: RunFile, *, is_tape: bool) -> Check:
    if is_tape:
        return ok("clock", "A tape's clock is followed; the host's does not matter.")
    try:
        async with RpcClient(run.rpc_url, timeout_s=RPC_TIMEOUT_S, commitment="confirmed") as rpc:
            chain_s = await rpc.block_time_s(await rpc.slot("confirmed"))
    except (RpcUnreachableError, RpcRefusedError) as error:
        return fail("clock", f"The Solana endpoint does not tell its time: {error}", "Check the rpc setting.")
    apart_s = abs(time.time_ns() // NS_PER_S - chain_s)
    told = f"The host's clock is {apart_s} s from the chain's."
    if apart_s > CLOCK_FAIL_S:
        return fail("clock", told, "Set the host's clock (NTP); nothing is placed meanwhile.")
    if apart_s > CLOCK_WARN_S:
        return warn("clock", told, "Set the host's clock (NTP).")
    return ok("clock", told)
