"""The embedded servers keep what they acknowledged and come back to the same place."""

from __future__ import annotations

import nats
import psycopg
import pytest

from support.servers import RunningNats, RunningPostgres

pytestmark = pytest.mark.servers


async def test_nats_keeps_what_it_acknowledged_over_a_kill(nats_server: RunningNats) -> None:
    await _publish(nats_server.url, create=True)
    url = nats_server.url

    nats_server.kill()
    nats_server.restart()

    assert nats_server.url == url
    assert await _publish(url) == 2


def test_postgres_keeps_what_it_committed_over_a_kill(postgres_server: RunningPostgres) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("CREATE TABLE kept (number int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    url = postgres_server.url

    postgres_server.kill()
    postgres_server.restart()

    assert postgres_server.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_database(postgres_url: str, turn: int) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE mine (turn int)")


async def _publish(url: str, *, create: bool = False) -> int:
    client = await nats.connect(url)
    try:
        stream = client.jetstream()
        if create:
            await stream.add_stream(name="EV", subjects=["ev.>"])
        return (await stream.publish("ev.x", b"payload")).seq
    finally:
        await client.close()
