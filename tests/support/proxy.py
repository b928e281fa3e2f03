"""A TCP proxy that can lose a server's answer: the request is carried out, the asker never hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class LossyProxy:
    """Stands before one server. After `lose_answer(asked, answer)`, the first answer with the bytes `answer` that
    follows a request with the bytes `asked` is kept back and the connection is cut. `lost` counts those.
    """

    def __init__(self, url: str) -> None:
        self._server_parts = urlsplit(url)
        self._port = 0
        self._asked = b""
        self._answer = b""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.lost = 0

    @property
    def url(self) -> str:
        """The server's URL, by way of the proxy."""
        credentials, _, _ = self._server_parts.netloc.rpartition("@")
        return urlunsplit(self._server_parts._replace(netloc=f"{credentials}@127.0.0.1:{self._port}"))

    def lose_answer(self, asked: bytes, answer: bytes) -> None:
        """Lose the next such answer."""
        self._asked, self._answer = asked, answer

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._server_parts.hostname, self._server_parts.port
        try:
            server_reader, server_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, server_writer}
        is_armed = asyncio.Event()
        for coroutine in (
            self._requests(reader, server_writer, is_armed),
            self._answers(server_reader, writer, server_writer, is_armed),
        ):
            task = asyncio.create_task(coroutine)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, armed: asyncio.Event) -> None:
        try:
            while data := await reader.read(65_536):
                if self._asked and self._asked in data:
                    armed.set()
                to.write(data)
                await to.drain()
        except OSError:
            pass
        finally:
            to.close()

    async def _answers(
        self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, back: asyncio.StreamWriter, armed: asyncio.Event
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if armed.is_set() and self._answer in data:
                    self.lost += 1
                    self._asked = b""
                    back.close()
                    return
                to.write(data)
                await to.drain()
        except OSError:
            pass
        finally:
            to.close()


@asynccontextmanager
async def lossy_proxy(url: str) -> AsyncIterator[LossyProxy]:
    """A running proxy before the server at `url`."""
    proxy = LossyProxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
