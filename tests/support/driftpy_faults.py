"""driftpy against an endpoint that misbehaves in each way in turn; says in JSON what driftpy met.

`driftpy_faults.py URL KEYPAIR_JSON`. A process of its own, for the reason `driftpy_session.py` is one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from driftpy.drift_client import DriftClient
from driftpy.events.parse import parse_logs
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.types import TxOpts
from solana.rpc.websocket_api import connect
from solders.keypair import Keypair
from solders.signature import Signature
from websockets.exceptions import ConnectionClosed

from support.driftpy_session import client_on, order, until

PATIENCE_S = 2.0
SENT = "sendTransaction"


class Probe:
    """A driftpy client that does not wait for confirmations, and a way to set faults beside it."""

    def __init__(self, url: str, keypair: Keypair) -> None:
        self.url = url
        self.connection = AsyncClient(url, commitment=Processed, timeout=PATIENCE_S)
        self.client: DriftClient = client_on(self.connection, "cached", keypair)
        sender = self.client.tx_sender
        sender.opts = TxOpts(skip_preflight=True)
        sender.send = sender.send_no_confirm
        self._orders = 0

    async def fail(self, kind: str, **more: Any) -> None:
        """One fault, once, and no other."""
        scenario = {"fault": [{"kind": kind, "count": 1, **more}]}
        body = {"jsonrpc": "2.0", "id": 1, "method": "sandbox_setFaults", "params": [scenario]}
        async with httpx.AsyncClient() as http:
            answer = (await http.post(self.url, json=body)).json()
        assert "result" in answer, answer

    async def place(self) -> Signature:
        """Places one order; nobody waits for it."""
        self._orders += 1
        signature: Signature = await self.client.place_orders([order(self._orders)])
        return signature

    async def is_on_chain(self, signature: Signature) -> bool:
        statuses = await self.connection.get_signature_statuses([signature])
        return statuses.value[0] is not None

    async def comes(self, signature: Signature, *, stays_away: bool = False) -> bool:
        """Whether a transaction is (or, `stays_away`, is no longer) on the chain within the patience of a client."""
        return await within(lambda: self.is_on_chain(signature), wanted=not stays_away)


async def within(what: Callable[[], Awaitable[bool]], *, wanted: bool = True) -> bool:
    try:
        async with asyncio.timeout(10):
            while await what() is not wanted:  # noqa: ASYNC110 - the chain is another process
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True


async def raised(action: Callable[[], Awaitable[Any]]) -> str:
    """The name of what an action raises, or nothing."""
    try:
        await action()
    except Exception as error:
        return type(error.__cause__ or error).__name__
    return ""


async def broken_answers(probe: Probe) -> dict[str, Any]:
    """What driftpy's connection raises, and that it works again right after."""
    seen = {}
    for kind, more in (
        ("rate-limit", {}),
        ("server-error", {}),
        ("garbage", {}),
        ("slow", {"delay_ms": 5_000}),
        ("lost-request", {}),
        ("lost-answer", {}),
    ):
        await probe.fail(kind, method="getSlot", **more)
        seen[kind] = [await raised(probe.connection.get_slot), await raised(probe.connection.get_slot)]
    return seen


async def reading_faults(probe: Probe) -> dict[str, Any]:
    signature = await probe.place()
    assert await probe.comes(signature)

    async def logs() -> Any:
        found = await probe.connection.get_transaction(signature, "base64", Confirmed, 0)
        return None if found.value is None else found.value.transaction.meta.log_messages

    async def is_there() -> bool:
        return await logs() is not None

    assert await within(is_there)
    await probe.fail("null-transaction")
    nulls = [await logs() is None, await logs() is None]
    await probe.fail("truncated-logs")
    cut, whole = await logs(), await logs()
    await probe.fail("slot-regression", method="getBlockHeight", after=1)
    heights = []
    for _ in range(3):
        heights.append((await probe.connection.get_block_height()).value)
        await asyncio.sleep(0.5)
    return {
        "null-transaction": nulls,
        "truncated-logs": [cut[-1], *(len(list(parse_logs(probe.client.program, lines))) for lines in (cut, whole))],
        "slot-regression": [heights[1] <= heights[0], heights[2] > heights[0]],
    }


async def chain_faults(probe: Probe) -> dict[str, Any]:
    await probe.fail("lost-transaction")
    lost, kept = await probe.place(), await probe.place()
    lost_seen = [await probe.comes(kept), await probe.is_on_chain(lost)]
    await probe.fail("late-transaction", delay_ms=1_500)
    late = await probe.place()
    late_seen = [await probe.is_on_chain(late), await probe.comes(late)]
    await probe.fail("fork", method=SENT, delay_ms=1_500)
    forked = await probe.place()
    fork_seen = [await probe.is_on_chain(forked), await probe.comes(forked, stays_away=True)]
    return {"lost-transaction": lost_seen, "late-transaction": late_seen, "fork": fork_seen}


async def socket_fault(probe: Probe) -> dict[str, Any]:
    host, _, port = probe.url.rpartition(":")
    async with connect(f"{host.replace('http', 'ws')}:{int(port) + 1}") as socket:
        await socket.slot_subscribe()
        await socket.recv()
        await probe.fail("dropped-websocket")

        async def listen() -> None:
            async with asyncio.timeout(10):
                while True:
                    await socket.recv()

        try:
            await listen()
        except ConnectionClosed:
            return {"dropped-websocket": ConnectionClosed.__name__}
        return {"dropped-websocket": ""}


async def main() -> None:
    probe = Probe(sys.argv[1], Keypair.from_json(sys.argv[2]))
    await probe.client.subscribe()
    user = probe.client.get_user()
    await until(lambda: user.get_user_account() is not None, user.account_subscriber.fetch)
    seen: dict[str, Any] = {}
    for part in (broken_answers, reading_faults, chain_faults, socket_fault):
        seen |= await part(probe)
    await probe.connection.close()
    sys.stdout.write("\n" + json.dumps(seen) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
