"""Commands over the bus: each is done once under its key, and one that cannot be told apart is not taken."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_bus.requests import request
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import PauseGrid
from gridkeeper_core.requests import CommandReply, CommandRequest
from gridkeeper_shell.commands import command_handler
from support.servers import RunningNats
from support.toy_shell import ToyShell, toy_shell

pytestmark = pytest.mark.servers

SUBJECT = "cmd.0.grid.sol.pause"


async def paused(service: ToyShell, key: str, author: str = "ann") -> CommandReply:
    asked = CommandRequest(key=key, author=author, reason="news", body=PauseGrid())
    answer = await request(service.shell.bus, SUBJECT, msgspec.json.encode(asked))
    return msgspec.json.decode(answer, type=CommandReply)


async def test_the_same_key_again_gets_the_first_answer(postgres_url: str, nats_server: RunningNats) -> None:
    async with toy_shell(postgres_url, nats_server.url) as service:
        await service.shell.serve("cmd.0.grid.*.*", command_handler(service.shell, "grid"))

        assert await paused(service, "k1") == CommandReply(stream="grid:sol", version=1, topics=("grid.paused.v1",))
        assert await paused(service, "k1") == CommandReply(stream="grid:sol", version=1, topics=("grid.paused.v1",))
        assert (await paused(service, "k2")).version == 2


@pytest.mark.parametrize(("key", "author", "field"), [("", "ann", "$.key"), ("k1", "", "$.author")])
async def test_without_key_or_author_a_command_is_refused(
    postgres_url: str, nats_server: RunningNats, key: str, author: str, field: str
) -> None:
    async with toy_shell(postgres_url, nats_server.url) as service:
        await service.shell.serve("cmd.0.grid.*.*", command_handler(service.shell, "grid"))

        with pytest.raises(GridkeeperError, match="BAD_USAGE") as refused:
            await paused(service, key, author)
        assert field in refused.value.detail
        assert service.shell.store.last_id == 0
