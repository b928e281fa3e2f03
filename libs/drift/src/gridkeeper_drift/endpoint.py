"""One JSON-RPC endpoint over HTTP: takes turns, waits where it is told to, and rests where it keeps failing.

Raises RpcUnreachableError where the outcome is unknown and RpcRefusedError where the endpoint's no is definite.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from gridkeeper_core.breaker import Breaker, BreakerPhase, BreakerRules
from gridkeeper_core.units import NS_PER_S
from gridkeeper_drift.failure import RpcRefusedError, RpcUnreachableError, custom_code, describe
from gridkeeper_drift.http import httpx
from gridkeeper_drift.metrics import RPC_REQUESTS, RPC_SECONDS, endpoint_label
from gridkeeper_drift.schedule import Priority, RequestScheduler

T = TypeVar("T")
_PREFLIGHT_FAILED = -32002
_DEFINITE = {_PREFLIGHT_FAILED, -32003, -32013, -32600, -32601, -32602}
"""Preflight failed, bad signature, transaction does not fit, bad request, no such method, bad parameters."""
_ATTEMPTS = 4
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
_RULES = BreakerRules(failures=3, first_pause_ns=NS_PER_S // 2, longest_pause_ns=20 * NS_PER_S)


class EndpointChange(NamedTuple):
    """A breaker moved: of an endpoint ("rpc", "rpc2"; never its URL, which may hold a token), or of the venue.

    `alias` is the account it concerns, "" for all.
    """

    name: str
    phase: BreakerPhase
    detail: str
    alias: str = ""


class Endpoint:
    """One URL. Answers of 429 and 5xx hold back all requests to it and are asked again, at most four times.

    `on_change` is told when its breaker moves. `transport` stands for the network where a test has its own.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "rpc",
        per_second: int = 50,
        burst: int | None = None,
        timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self.name = name
        self._label = endpoint_label(url)
        self.on_change: Callable[[EndpointChange], None] = lambda _: None
        self.requests = 0
        self.refused_for_load = 0
        # What may come at once is part of the rate: no second sees more than `per_second`.
        at_once = max(1, per_second // 5) if burst is None else burst
        self._scheduler = RequestScheduler(max(1, per_second - at_once), at_once)
        self._http = httpx.AsyncClient(timeout=timeout_s, transport=transport)
        self._breaker = Breaker(rules=_RULES)
        self._told: BreakerPhase = "closed"

    @property
    def phase(self) -> BreakerPhase:
        """What its breaker let through when it was last asked."""
        return self._told

    @property
    def may_pass(self) -> bool:
        """Whether `call` would ask at all."""
        return self._breaker.may_pass(_now_ns())

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def call(self, method: str, params: list[Any], read: Callable[[Any], T], priority: Priority) -> T:
        """The result of one request as `read` understands it; nothing is asked while the breaker is open."""
        if not self.may_pass:
            raise RpcUnreachableError(method, f"The endpoint {self.name} failed too often and rests for a while.")
        self._breaker = self._breaker.trying(_now_ns())
        self._tell("one request is tried")
        try:
            result = _understood(method, read, await self._asked(method, params, priority))
        except RpcUnreachableError as error:
            self._breaker = self._breaker.failed(_now_ns())
            self._tell(error.detail)
            raise
        except RpcRefusedError:
            self._well()
            raise
        except BaseException:
            self._breaker = self._breaker.gave_up()
            raise
        self._well()
        return result

    async def _asked(self, method: str, params: list[Any], priority: Priority) -> Any:
        self.requests += 1
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": self.requests, "method": method, "params": params})
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, _ATTEMPTS + 1):
            await self._scheduler.turn(priority)
            response = await self._post(method, body)
            if response.status_code == httpx.codes.OK:
                return self._counted(method, response.content)
            self._count(_outcome_of(response.status_code))
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS and response.status_code < 500:
                raise RpcRefusedError(method, response.status_code, "The endpoint refused the request.")
            self.refused_for_load += response.status_code == httpx.codes.TOO_MANY_REQUESTS
            if attempt < _ATTEMPTS:
                self._scheduler.hold(_asked_wait_s(response, wait_s))
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
        raise RpcUnreachableError(method, f"HTTP status {response.status_code}, {_ATTEMPTS} times.")

    async def _post(self, method: str, body: bytes) -> httpx.Response:
        began_ns = _now_ns()
        try:
            return await self._http.post(self.url, content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError as error:
            self._count("away")
            raise RpcUnreachableError(method, f"{type(error).__name__}: {error}") from error
        finally:
            RPC_SECONDS.labels(self._label).observe((_now_ns() - began_ns) / NS_PER_S)

    def _counted(self, method: str, content: bytes) -> Any:
        try:
            result = _result_of(method, content)
        except RpcRefusedError:
            self._count("refused")
            raise
        except RpcUnreachableError:
            self._count("garbled")
            raise
        self._count("ok")
        return result

    def _count(self, outcome: str) -> None:
        RPC_REQUESTS.labels(self._label, outcome).inc()

    def _well(self) -> None:
        self._breaker = self._breaker.succeeded()
        self._tell("it answers again")

    def _tell(self, detail: str) -> None:
        phase = self._breaker.phase(_now_ns())
        if phase != self._told:
            self._told = phase
            self.on_change(EndpointChange(self.name, phase, detail))


def _now_ns() -> int:
    return int(asyncio.get_running_loop().time() * NS_PER_S)


def _outcome_of(status_code: int) -> str:
    if status_code == httpx.codes.TOO_MANY_REQUESTS:
        return "limited"
    return "error" if status_code >= httpx.codes.INTERNAL_SERVER_ERROR else "refused"


def _understood(method: str, read: Callable[[Any], T], result: Any) -> T:
    try:
        return read(result)
    except (TypeError, LookupError, ValueError, AttributeError) as error:
        raise RpcUnreachableError(method, f"The answer is not of the expected shape: {error!r}") from error


def _asked_wait_s(response: httpx.Response, default_s: float) -> float:
    asked = response.headers.get("retry-after", "")
    return min(_LONGEST_WAIT_S, float(asked)) if asked.isdigit() else default_s


def _result_of(method: str, content: bytes) -> Any:
    try:
        answer = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise RpcUnreachableError(method, f"The answer is not JSON: {error}") from error
    if not isinstance(answer, Mapping) or ("result" not in answer and "error" not in answer):
        raise RpcUnreachableError(method, "The answer is not a JSON-RPC answer.")
    if "error" not in answer:
        return answer["result"]
    problem = answer["error"]
    if not isinstance(problem, Mapping):
        raise RpcUnreachableError(method, "The answer is not a JSON-RPC answer.")
    code, message = problem.get("code", 0), str(problem.get("message", ""))
    if code not in _DEFINITE:
        raise RpcUnreachableError(method, f"{code}: {message}")
    data = problem.get("data")
    failure = data.get("err") if isinstance(data, Mapping) else None
    raise RpcRefusedError(method, code, describe(failure) or message, custom_code(failure))
