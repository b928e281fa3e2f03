"""One connection to NATS that comes back by itself, says when it is away, and never drops a message in silence."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from gridkeeper_core.errors import GridkeeperError

PATIENCE_S = 30.0
RECONNECT_WAIT_S = 0.2
CONNECT_TIMEOUT_S = 2
API_TIMEOUT_S = 3.0
PENDING_BYTES_MAX = 64 * 1024 * 1024


class Bus:
    """A connection and what is known of its health. Made by `connect`."""

    def __init__(self, patience_s: float) -> None:
        self.client = Client()
        self.js: JetStreamContext
        self.last_error = ""
        self.reconnect_listeners: list[Callable[[], None]] = []
        self._patience_s = patience_s
        self._fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost_since_s: float | None = None
        self._changed = asyncio.Event()
        self._is_closing = False

    @property
    def ready(self) -> bool:
        """Whether the connection stands; `not_ready_reason` says why not."""
        return self.client.is_connected

    @property
    def not_ready_reason(self) -> str:
        """Empty while the connection stands."""
        return "" if self.ready else f"NATS cannot be reached: {self.last_error or 'connection lost'}"

    async def watch(self) -> None:
        """Return after `close`; raise when the service must end.

        GridkeeperError STORE_LOST after the patience without a connection. SlowConsumerError when the client dropped a
        message, a permission that is missing, or the exception of a callback: as it is.
        """
        while not self.client.is_closed:
            self._changed.clear()
            if self._fatal.done():
                self._fatal.result()
            try:
                async with asyncio.timeout_at(self._deadline_s()):
                    await self._changed.wait()
            except TimeoutError as e:
                raise GridkeeperError("STORE_LOST", field="NATS", detail=self.not_ready_reason) from e
        if not self._is_closing:
            # The client gives up by itself, for example when the server refuses its credentials.
            raise GridkeeperError("STORE_LOST", field="NATS", detail=self.not_ready_reason)

    def fail(self, error: BaseException) -> None:
        """End whoever waits in `watch` with this error."""
        if not self._fatal.done():
            self._fatal.set_exception(error)
            self._fatal.exception()
        self._changed.set()

    async def close(self) -> None:
        """Send what is buffered and close."""
        self._is_closing = True
        # A server that is gone takes nothing any more; that is no reason to fail while closing.
        with suppress(OSError, nats.errors.Error, TimeoutError):
            if self.client.is_connected:
                await self.client.flush()
            await self.client.close()
        self._changed.set()

    def _deadline_s(self) -> float | None:
        return None if self._lost_since_s is None else self._lost_since_s + self._patience_s

    async def _on_disconnect(self) -> None:
        if self._lost_since_s is None:
            self._lost_since_s = asyncio.get_running_loop().time()
        self._changed.set()

    async def _on_reconnect(self) -> None:
        self._lost_since_s = None
        self.last_error = ""
        self._changed.set()
        for listener in self.reconnect_listeners:
            listener()

    async def _on_closed(self) -> None:
        self._changed.set()

    async def _on_error(self, error: Exception) -> None:
        is_outage = isinstance(error, (nats.errors.Error, OSError, asyncio.TimeoutError))
        is_refusal = "permissions violation" in str(error).lower()
        if isinstance(error, nats.errors.SlowConsumerError) or is_refusal or not is_outage:
            self.fail(error)
        else:
            self.last_error = str(error) or type(error).__name__


async def connect(
    url: str,
    name: str,
    *,
    nkey_seed: str = "",
    patience_s: float = PATIENCE_S,
    inbox_prefix: str = "_INBOX",
) -> Bus:
    """Connect once, then stay connected for ever.

    `url` may hold user and password or a token; with `nkey_seed` the server is shown an nkey instead. `tls://…?ca=FILE`
    trusts the authority in the file (PEM) and no other. Raises GridkeeperError STORE_LOST when the first attempt fails
    within the patience, BAD_FILE where the file holds no certificate.
    """
    bus = Bus(patience_s)
    address, authority = _split(url)
    try:
        async with asyncio.timeout(patience_s):
            await _first_connect(bus, address, authority, name, nkey_seed, inbox_prefix)
    except (TimeoutError, nats.errors.Error, OSError) as e:
        detail = f"NATS cannot be reached: {bus.last_error or e}"
        raise GridkeeperError("STORE_LOST", field="NATS", detail=detail) from e
    bus.js = bus.client.jetstream(timeout=API_TIMEOUT_S)
    return bus


def _split(url: str) -> tuple[str, ssl.SSLContext | None]:
    """The address alone, and whom to trust where the URL says it."""
    parts = urlsplit(url)
    authority = parse_qs(parts.query).get("ca")
    if not authority:
        return url, None
    try:
        context = ssl.create_default_context(cafile=authority[0])
    except (OSError, ssl.SSLError) as error:
        expected = "a certificate (PEM)"
        raise GridkeeperError(
            "BAD_FILE", field="nats_url: ca", value=authority[0], expected=expected, detail=str(error)
        ) from error
    return parts._replace(query="").geturl(), context


async def _first_connect(
    bus: Bus, url: str, authority: ssl.SSLContext | None, name: str, nkey_seed: str, inbox_prefix: str
) -> None:
    # Internal handlers of the bus itself; nobody else calls them.
    await bus.client.connect(
        url,
        name=name,
        tls=authority,
        error_cb=bus._on_error,  # noqa: SLF001
        disconnected_cb=bus._on_disconnect,  # noqa: SLF001
        reconnected_cb=bus._on_reconnect,  # noqa: SLF001
        closed_cb=bus._on_closed,  # noqa: SLF001
        connect_timeout=CONNECT_TIMEOUT_S,
        reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # a float is waited for as well
        max_reconnect_attempts=-1,
        ping_interval=5,
        max_outstanding_pings=2,
        pending_size=PENDING_BYTES_MAX,
        inbox_prefix=inbox_prefix,
        nkeys_seed_str=nkey_seed or None,
    )
