"""Request and reply between the command and the services, with errors a user can read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
import nats.errors
import nats.micro
from nats.micro.request import ERROR_HEADER, Request
from nats.micro.service import Service

from gridkeeper_bus.connection import Bus
from gridkeeper_core.errors import CATALOGUE, GridkeeperError

REQUEST_TIMEOUT_S = 5.0

Handler: TypeAlias = Callable[[str, bytes], Awaitable[bytes]]
"""Gets the subject and the body; answers with a body or raises GridkeeperError."""


class _ErrorDocument(msgspec.Struct):
    error: dict[str, str]


class RequestServer:
    """A service of NATS' micro API: `nats micro ls` shows it, with each subject it serves."""

    def __init__(self, bus: Bus, *, name: str, version: str) -> None:
        self._bus = bus
        self._name = name
        self._version = version
        self._service: Service | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, subject: str, handler: Handler) -> None:
        """Answer requests on a subject (`*` allowed), several at a time.

        A handler's exception other than GridkeeperError is answered with INTERNAL and ends the service.
        """
        if self._service is None:
            self._service = await nats.micro.add_service(self._bus.client, name=self._name, version=self._version)

        async def on_request(request: Request) -> None:
            # Its own task: one that waits for a commit must not hold up the next.
            task = asyncio.create_task(self._answer(request, handler))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        endpoint = re.sub(r"[^A-Za-z0-9_-]", "-", subject)
        await self._service.add_endpoint(name=endpoint, subject=subject, handler=on_request)
        await self._bus.client.flush()

    async def stop(self) -> None:
        """Take no more requests and answer those under way."""
        if self._service is not None:
            await self._service.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _answer(self, request: Request, handler: Handler) -> None:
        try:
            await request.respond(await handler(request.subject, request.data))
        except GridkeeperError as error:
            await self._refuse(request, error)
        except nats.errors.Error:
            return  # The reply could not be sent; the caller's own timeout tells him.
        except Exception as error:
            await self._refuse(request, GridkeeperError("INTERNAL", detail=repr(error)))
            self._bus.fail(error)

    async def _refuse(self, request: Request, error: GridkeeperError) -> None:
        body = msgspec.json.encode(_ErrorDocument(error.as_dict()))
        await request.respond_error(error.code, error.meaning, data=body)


async def request(bus: Bus, subject: str, body: bytes = b"", *, timeout_s: float = REQUEST_TIMEOUT_S) -> bytes:
    """The answer's body. Raises GridkeeperError: the service's own, or SERVICE_SILENT when none answers in time."""
    try:
        reply = await bus.client.request(subject, body, timeout=timeout_s)
    except (nats.errors.Error, TimeoutError) as error:
        detail = f"{subject}: {str(error) or type(error).__name__}"
        raise GridkeeperError("SERVICE_SILENT", field="service", detail=detail) from error
    if reply.headers and ERROR_HEADER in reply.headers:
        raise _error_of(reply.data)
    return reply.data


def _error_of(body: bytes) -> GridkeeperError:
    fields = dict(msgspec.json.decode(body, type=_ErrorDocument).error)
    code = fields.pop("code", "INTERNAL")
    if code not in CATALOGUE:
        return GridkeeperError("INTERNAL", detail=f"{code}: {fields.get('detail', '')}")
    return GridkeeperError(code, **fields)
