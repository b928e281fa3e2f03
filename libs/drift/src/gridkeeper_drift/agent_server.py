"""The signing agent: holds one key and answers on a unix socket, to its own user only and within its policy."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.agent_client import LINE_MAX, AgentAnswer, AgentRequest
from gridkeeper_drift.agent_policy import AgentPolicy, RefusedError, check
from gridkeeper_drift.keys import Signer

_PEER = struct.Struct("3i")
_LINE_WITHIN_S = 5.0
Told = Callable[[str], None]


@asynccontextmanager
async def serving_agent(path: Path, signer: Signer, policy: AgentPolicy, told: Told) -> AsyncIterator[None]:
    """Serves until left. `told` gets a sentence for each signature and each refusal, never key material.

    Raises PORT_IN_USE where another agent listens there.
    """
    if await asyncio.to_thread(_is_listening, path):
        raise GridkeeperError("PORT_IN_USE", field="socket", value=path)

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await _answer(reader, writer, signer, policy, told)
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            told(f"A request was broken off: {error}")
        finally:
            writer.close()

    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(on_connection, path, limit=LINE_MAX)
    finally:
        os.umask(before)
    async with server:
        try:
            yield
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, signer: Signer, policy: AgentPolicy, told: Told
) -> AgentAnswer:
    # Read before anything is refused: a socket closed over unread bytes would lose the answer on its way.
    async with asyncio.timeout(_LINE_WITHIN_S):
        line = await reader.readline()
    uid = _peer_uid(writer.get_extra_info("socket"))
    if uid != os.geteuid():
        told(f"Refused: user {uid} is not user {os.geteuid()}.")
        return AgentAnswer(refused="you are another user")
    try:
        request = msgspec.json.decode(line, type=AgentRequest)
        if not request.message:
            return AgentAnswer(public_key=str(signer.public_key))
        message = base64.b64decode(request.message, validate=True)
        check(message, signer.public_key, policy)
    except (RefusedError, msgspec.MsgspecError, binascii.Error) as error:
        told(f"Refused: {error}.")
        return AgentAnswer(refused=str(error))
    signature = str(signer.keypair.sign_message(message))
    told(f"Signed {signature}.")
    return AgentAnswer(signature=signature)


def _peer_uid(connection: socket.socket) -> int:
    _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(uid)


def _is_listening(path: Path) -> bool:
    """Whether another agent answers there; a socket file that nobody listens on was left behind, and is removed."""
    if not path.exists():
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        return True
    path.unlink()
    return False
