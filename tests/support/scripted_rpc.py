"""A JSON-RPC endpoint that answers as a test tells it to: for the protocol's edge cases, not a chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Answer = Callable[[list[Any]], Any]


class RefusalError(Exception):
    """Answers with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message, "data": data}


class ScriptedEndpoint:
    """`answers` by method; `faults` are given first, one for each request. `asked` keeps every request."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Answer] = {}
        self.faults: list[tuple[int, str]] = []
        self.asked: list[tuple[str, list[Any]]] = []

    def count(self, method: str) -> int:
        """How often a method was asked."""
        return sum(asked == method for asked, _ in self.asked)

    def answer_with(self, method: str, *values: Any) -> None:
        """Gives these results one after the other, the last one for ever."""
        left = list(values)
        self.answers[method] = lambda _: left.pop(0) if len(left) > 1 else left[0]

    async def handle(self, request: web.Request) -> web.Response:
        """One request."""
        body = await request.json()
        method, params = body["method"], body["params"]
        self.asked.append((method, params))
        if self.faults:
            status, text = self.faults.pop(0)
            return web.Response(status=status, text=text, headers={"retry-after": "0"})
        try:
            answer = {"result": self.answers[method](params)}
        except RefusalError as refusal:
            answer = {"error": refusal.body}
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], **answer})


def in_context(slot: int, value: Any) -> dict[str, Any]:
    """A result with the slot it is of."""
    return {"context": {"slot": slot}, "value": value}


def listed(signature: str, slot: int, *, finalized: bool, error: object = None) -> dict[str, Any]:
    """One row of getSignaturesForAddress."""
    status = "finalized" if finalized else "confirmed"
    return {"signature": signature, "slot": slot, "err": error, "blockTime": slot, "confirmationStatus": status}


def landed(transaction_base64: str, slot: int, logs: Sequence[str] | None, *, error: object = None) -> dict[str, Any]:
    """A result of getTransaction."""
    meta = {"err": error, "fee": 5_000, "logMessages": None if logs is None else list(logs)}
    return {"slot": slot, "blockTime": slot, "meta": meta, "transaction": [transaction_base64, "base64"]}


@asynccontextmanager
async def scripted_endpoint() -> AsyncIterator[ScriptedEndpoint]:
    """Runs on a free port of this machine."""
    endpoint = ScriptedEndpoint()
    application = web.Application()
    application.router.add_post("/", endpoint.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    endpoint.url = f"http://{host}:{port}/"
    try:
        yield endpoint
    finally:
        await runner.cleanup()
