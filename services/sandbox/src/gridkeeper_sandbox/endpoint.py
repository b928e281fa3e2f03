"""What a client gets for a request: the chain's answer, or what a fault of the scenario makes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gridkeeper_core.units import NS_PER_MS
from gridkeeper_sandbox.faults import Fault, FaultKind
from gridkeeper_sandbox.rpc import Rpc
from gridkeeper_sandbox.sandbox import Sandbox

_BEFORE: tuple[FaultKind, ...] = ("rate-limit", "server-error", "lost-request", "slot-regression")
_AFTER: tuple[FaultKind, ...] = ("garbage", "lost-answer", "slow")
_OURS = "sandbox_"
_SEND = "sendTransaction"
_KEPT_ANSWERS = 8
_KEPT_REQUESTS = 256
_JSON = {"content-type": "application/json"}
_GARBAGE: tuple[Callable[[bytes], bytes], ...] = (
    lambda _: b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    lambda answer: answer[: len(answer) // 2],
    lambda _: b"",
    lambda _: b"\xff\xfe\x00garbage",
    lambda _: b'{"jsonrpc":"2.0","id":1}',
    lambda _: b"null",
    lambda _: b'{"jsonrpc":"2.0","id":1,"result":"garbage"}',
)


class Reply(NamedTuple):
    """How a request ends. `body` None: the connection breaks without an answer. It ends `delay_ns` after it came."""

    status: int
    body: bytes | None
    headers: dict[str, str]
    delay_ns: int = 0


class Endpoint:
    """The sandbox as clients meet it, without a socket. The sandbox's own methods meet no faults."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._rpc = Rpc(sandbox)
        self._earlier: dict[bytes, deque[bytes]] = {}

    def handle(self, body: bytes) -> Reply:
        """The end of one request, whose effect on the chain has been had."""
        faults, methods = self._sandbox.faults, _methods(body)
        if not faults.scenario.fault or any(method.startswith(_OURS) for method in methods):
            return self.answer(body)
        self._sandbox.tick()
        before = faults.strike(_BEFORE, methods, self._sandbox.now_ns)
        if before is not None and before.kind != "slot-regression":
            return _refusal(before)
        answer = self._stale(body) if before is not None and _SEND not in methods else None
        if answer is None:
            answer = self._rpc.answer(body)
            self._keep(body, answer)
        after = faults.strike(_AFTER, methods, self._sandbox.now_ns)
        match after:
            case Fault(kind="lost-answer"):
                return Reply(0, None, {})
            case Fault(kind="garbage"):
                return Reply(200, _GARBAGE[faults.pick(len(_GARBAGE))](answer), _JSON)
            case Fault(kind="slow"):
                return Reply(200, answer, _JSON, after.delay_ms * NS_PER_MS)
        return Reply(200, answer, _JSON)

    def answer(self, body: bytes) -> Reply:
        """The end of a request that meets no fault of the connection."""
        return Reply(200, self._rpc.answer(body), _JSON)

    def _stale(self, body: bytes) -> bytes | None:
        """The oldest answer kept for such a request: what an endpoint says that lags behind the one asked before."""
        kept = self._earlier.get(_without_id(body))
        return _with_ids_of(body, kept[0]) if kept else None

    def _keep(self, body: bytes, answer: bytes) -> None:
        if not any(fault.kind == "slot-regression" for fault in self._sandbox.faults.scenario.fault):
            return
        key = _without_id(body)
        if key not in self._earlier and len(self._earlier) == _KEPT_REQUESTS:
            self._earlier.pop(next(iter(self._earlier)))
        self._earlier.setdefault(key, deque(maxlen=_KEPT_ANSWERS)).append(answer)


def _refusal(fault: Fault) -> Reply:
    if fault.kind == "lost-request":
        return Reply(0, None, {})
    if fault.kind == "server-error":
        return Reply(fault.status, b"Service Unavailable", {"content-type": "text/plain"})
    wait = {} if fault.retry_after_s < 0 else {"retry-after": str(fault.retry_after_s)}
    body = b'{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests"},"id":null}'
    return Reply(429, body, _JSON | wait)


def _with_ids_of(body: bytes, answer: bytes) -> bytes:
    old = msgspec.json.decode(answer)
    for request, item in zip(_requests(body), old if isinstance(old, list) else [old], strict=True):
        item["id"] = request.get("id")
    return msgspec.json.encode(old)


def _methods(body: bytes) -> list[str]:
    return [str(item.get("method", "")) for item in _requests(body)]


def _without_id(body: bytes) -> bytes:
    return msgspec.json.encode([(item.get("method"), item.get("params")) for item in _requests(body)])


def _requests(body: bytes) -> list[dict[str, object]]:
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return []
    return [item for item in (decoded if isinstance(decoded, list) else [decoded]) if isinstance(item, dict)]
