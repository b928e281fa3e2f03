"""Hears over a websocket that an account changed: a hint to look sooner, never a source of what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_NOTICE = "accountNotification"


class _Message(msgspec.Struct):
    method: str = ""


class AccountHints:
    """Subscribes to some accounts and calls `on_hint` at each notice.

    A connection that broke is opened again, later each time; that it was broken is a hint as well, for what was missed.
    Whoever polls loses nothing where there is no websocket at all.
    """

    def __init__(
        self,
        rpc_url: str,
        addresses: Sequence[str],
        on_hint: Callable[[], None],
        *,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self._url = websocket_url(rpc_url)
        self._addresses = tuple(addresses)
        self._on_hint = on_hint
        self._first_wait_s = first_wait_s
        self._decode = msgspec.json.Decoder(_Message).decode
        self.notices = 0

    async def run(self) -> None:
        """For ever; to be run as a task."""
        wait_s = self._first_wait_s
        while True:
            before = self.notices
            try:
                async with connect(self._url, max_size=None) as connection:
                    await self._subscribe(connection)
                    self._on_hint()
                    await self._hear(connection)
            except (OSError, TimeoutError, WebSocketException, msgspec.MsgspecError):
                # The poller goes on at its own pace, and its own requests tell how the endpoint is.
                wait_s = self._first_wait_s if self.notices > before else min(_LONGEST_WAIT_S, wait_s * 2)
            await asyncio.sleep(wait_s)

    async def _subscribe(self, connection: ClientConnection) -> None:
        for number, address in enumerate(self._addresses, 1):
            params = [address, {"encoding": "base64", "commitment": "confirmed"}]
            body = {"jsonrpc": "2.0", "id": number, "method": "accountSubscribe", "params": params}
            await connection.send(msgspec.json.encode(body).decode())

    async def _hear(self, connection: ClientConnection) -> None:
        async for text in connection:
            if self._decode(text).method == _NOTICE:
                self.notices += 1
                self._on_hint()


def websocket_url(rpc_url: str) -> str:
    """Where an endpoint's websocket is: on the port after the one that is named, else on the same."""
    parts = urlsplit(rpc_url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    place = parts.netloc
    if parts.port is not None:
        place = place.removesuffix(f":{parts.port}") + f":{parts.port + 1}"
    return urlunsplit((scheme, place, parts.path, parts.query, ""))
