"""Answers commands: each goes through the exactly-once loop and is answered after its first commit."""

from __future__ import annotations

import msgspec

from gridkeeper_bus.requests import Handler
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import Command
from gridkeeper_core.names import check_id, stream
from gridkeeper_core.record import topic_of
from gridkeeper_core.requests import CommandReply, CommandRequest
from gridkeeper_shell.shell import Shell

_REQUEST = msgspec.json.Decoder(CommandRequest)


def command_handler(shell: Shell, kind: str) -> Handler:
    """Serves `cmd.<shard>.<kind>.<id>.<verb>`. Raises GridkeeperError: BAD_ID, BAD_USAGE, or the machine's refusal."""

    async def answer(subject: str, body: bytes) -> bytes:
        target = stream(kind, check_id(subject.split(".")[3], kind))
        try:
            request = _REQUEST.decode(body)
        except msgspec.DecodeError as error:
            raise GridkeeperError("BAD_USAGE", field="command", detail=str(error)) from error
        item = Command(
            now_ns=shell.now_ns(),
            key=request.key,
            author=request.author,
            reason=request.reason,
            target=target,
            body=request.body,
        )
        recorded = await shell.processor.submit(item)
        versions = [event.version for event in recorded if event.stream == target]
        topics = tuple(topic_of(event.fact) for event in recorded)
        return msgspec.json.encode(CommandReply(stream=target, version=max(versions, default=0), topics=topics))

    return answer
