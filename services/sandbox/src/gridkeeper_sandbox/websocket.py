"""Subscriptions over a websocket: accounts, programs, logs, signatures, slots."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from solders.pubkey import Pubkey

from gridkeeper_drift.codecs.addresses import PROGRAM_ID
from gridkeeper_sandbox import answers
from gridkeeper_sandbox.chain import Landed
from gridkeeper_sandbox.rpc import commitment_of
from gridkeeper_sandbox.sandbox import Change, Sandbox

_NO_METHOD, _BAD_PARAMS = -32601, -32602
_ACCOUNT, _PROGRAM, _LOGS, _SIGNATURE, _SLOT = "account", "program", "logs", "signature", "slot"
_METHODS = {f"{kind}{verb}": (kind, verb) for kind in (_ACCOUNT, _PROGRAM, _LOGS, _SIGNATURE, _SLOT)
            for verb in ("Subscribe", "Unsubscribe")}  # fmt: skip
_BACKLOG_MAX = 10_000


class Subscription(msgspec.Struct):
    """One client's wish. `sent` is the data last sent, by account.

    `waiting` (slot and account) and `logs` are what happened and is not yet as final as the client asks for.
    """

    kind: str
    target: str
    options: dict[str, Any]
    sent: dict[Pubkey, bytes] = {}
    waiting: list[tuple[int, Pubkey]] = []
    logs: list[Landed] = []


class Client:
    """One websocket with its subscriptions; what it is to hear waits in a queue, so that a slow one holds up nobody."""

    def __init__(self) -> None:
        self.subscriptions: dict[int, Subscription] = {}
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.is_dropped = False

    def say(self, body: Any) -> None:
        """Queues one message."""
        self.queue.put_nowait(msgspec.json.encode(body).decode())

    def drop(self) -> None:
        """Ends the connection without a word."""
        self.is_dropped = True
        self.queue.put_nowait(None)

    def notify(self, number: int, kind: str, result: Any) -> None:
        """Queues one notification."""
        params = {"result": result, "subscription": number}
        self.say({"jsonrpc": "2.0", "method": f"{kind}Notification", "params": params})


class Hub:
    """All websockets. `publish` is a listener of the sandbox; `turn` is to be called as time passes."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._clients: set[Client] = set()
        self._numbers = itertools.count(1)
        self._told_slot = 0

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One client until it goes or falls too far behind."""
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        client = Client()
        self.join(client)
        writer = asyncio.create_task(_write(request, socket, client))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    client.say(self.answer(client, message.data))
        finally:
            self._clients.discard(client)
            writer.cancel()
        return socket

    def join(self, client: Client) -> None:
        """Tells a client from now on."""
        self._clients.add(client)

    def publish(self, change: Change) -> None:
        """Tells each subscription what it wants to hear of a change."""
        for client in self._clients:
            for number, wish in list(client.subscriptions.items()):
                self._note(wish, change)
                for result in self._results(wish):
                    self._notify(client, number, wish.kind, result)
                    if wish.kind == _SIGNATURE:
                        del client.subscriptions[number]

    def _notify(self, client: Client, number: int, kind: str, result: Any) -> None:
        """Says it, unless a fault breaks the connection in its place; nothing is said on it any more then."""
        strike = self._sandbox.faults.strike
        if not client.is_dropped and strike(("dropped-websocket",), (f"{kind}Notification",), self._sandbox.now_ns):
            client.drop()
        elif not client.is_dropped:
            client.notify(number, kind, result)

    def turn(self) -> None:
        """Tells new slots, and signatures that have become final enough."""
        slot = self._sandbox.slot()
        if slot != self._told_slot:
            self._told_slot = slot
            self.publish(Change((), frozenset()))
            root = self._sandbox.slot("finalized")
            for client in self._clients:
                for number, wish in client.subscriptions.items():
                    if wish.kind == _SLOT:
                        self._notify(client, number, _SLOT, {"slot": slot, "parent": slot - 1, "root": root})

    def answer(self, client: Client, text: str) -> Any:
        """The answer to one message of a client."""
        request: dict[str, Any] = {}
        try:
            request = msgspec.json.decode(text, type=dict[str, Any])
            result = self._do(client, str(request.get("method")), list(request.get("params") or []))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            problem = {"code": _BAD_PARAMS, "message": f"Invalid params: {error}"}
            return {"jsonrpc": "2.0", "id": request.get("id"), "error": problem}
        if result is None:
            problem = {"code": _NO_METHOD, "message": "Method not found"}
            return {"jsonrpc": "2.0", "id": request.get("id"), "error": problem}
        return {"jsonrpc": "2.0", "id": request.get("id"), "result": result}

    def _do(self, client: Client, method: str, params: list[Any]) -> int | bool | None:
        if method not in _METHODS:
            return None
        kind, verb = _METHODS[method]
        if verb == "Unsubscribe":
            return client.subscriptions.pop(int(params[0]), None) is not None
        target = params[0] if params else ""
        if kind == _LOGS:
            target = target["mentions"][0] if isinstance(target, dict) else ""
        if kind in (_ACCOUNT, _PROGRAM):
            answers.pubkey(target)
        options = params[1] if len(params) > 1 and isinstance(params[1], dict) else {}
        number = next(self._numbers)
        client.subscriptions[number] = Subscription(kind, target, options)
        return number

    def _note(self, wish: Subscription, change: Change) -> None:
        """Keeps what a subscription wants to hear of a change until it is as final as is asked for."""
        slot = self._sandbox.slot()
        if wish.kind == _LOGS:
            wish.logs += [landed for landed in change.landed if not wish.target or wish.target in landed.keys]
        elif wish.kind in (_ACCOUNT, _PROGRAM):
            is_meant = wish.kind == _PROGRAM and wish.target == str(PROGRAM_ID)
            wish.waiting += [(slot, key) for key in change.keys if is_meant or str(key) == wish.target]

    def _results(self, wish: Subscription) -> list[Any]:
        match wish.kind:
            case "account" | "program":
                return self._accounts(wish)
            case "logs":
                return self._logs(wish)
            case "signature":
                return self._signature(wish)
        return []

    def _accounts(self, wish: Subscription) -> list[Any]:
        commitment = commitment_of(wish.options)
        reached = self._sandbox.slot(commitment)
        keys = dict.fromkeys(key for slot, key in wish.waiting if slot <= reached)
        wish.waiting = [(slot, key) for slot, key in wish.waiting if slot > reached]
        found = []
        with self._sandbox.seen_at(commitment):
            for key in keys:
                held = self._sandbox.view.read(key)
                if held is None or wish.sent.get(key) == held.data:
                    continue
                is_program = wish.kind == _PROGRAM
                if is_program and not (
                    held.owner == PROGRAM_ID and answers.matches(held, wish.options.get("filters") or [])
                ):
                    continue
                wish.sent[key] = held.data
                account = answers.account(held, wish.options)
                found.append({"pubkey": str(key), "account": account} if is_program else account)
        return [self._in_context(value, reached) for value in found]

    def _logs(self, wish: Subscription) -> list[Any]:
        reached = self._sandbox.slot(commitment_of(wish.options))
        told = [landed for landed in wish.logs if landed.slot <= reached]
        wish.logs = [landed for landed in wish.logs if landed.slot > reached]
        # What a fork has taken back meanwhile is not told.
        on_chain = [landed for landed in told if self._sandbox.chain.find(landed.signature) is landed]
        return [self._in_context(_logs(landed), reached) for landed in on_chain]

    def _signature(self, wish: Subscription) -> list[Any]:
        landed = self._sandbox.chain.find(wish.target)
        reached = self._sandbox.slot(commitment_of(wish.options))
        return (
            [self._in_context({"err": landed.error}, reached)] if landed is not None and landed.slot <= reached else []
        )

    def _in_context(self, value: Any, slot: int) -> Any:
        return {"context": {"slot": slot}, "value": value}


async def _write(request: web.Request, socket: web.WebSocketResponse, client: Client) -> None:
    while client.queue.qsize() <= _BACKLOG_MAX:
        text = await client.queue.get()
        if text is None:
            if request.transport is not None:
                request.transport.abort()
            return
        await socket.send_str(text)
    await socket.close(message=b"too slow")


def _logs(landed: Landed) -> Any:
    return {"signature": landed.signature, "err": landed.error, "logs": list(landed.logs)}
