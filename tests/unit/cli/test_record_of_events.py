"""Events as they were recorded: the last ones, one of them, and each new one."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import aclosing

import msgspec
import pytest

from gridkeeper_bus.history import follow, read_last, subjects_of
from support.command import START_NS, System, document
from support.command_answers import LEFT, OPENED
from support.servers import RunningNats, eventually

pytestmark = pytest.mark.servers


async def test_the_last_events_are_shown_oldest_first(system: System) -> None:
    for number in range(1, 8):
        await system.services.record("strategy", f"grid:g{number % 2}", LEFT)

    told = (await system.ask("events", "tail", "-n", "3"))["events"]

    assert [event["id"] for event in told] == ["grid:g1@3", "grid:g0@3", "grid:g1@4"]
    assert told[0]["topic"] == "grid.range_left.v1"
    assert told[0]["fact"] == {"where": "low", "price": "89"}
    assert told[0]["time"] == "2023-11-14T22:13:20.000000Z"


async def test_events_of_one_stream_or_topic_are_found_behind_many_others(system: System) -> None:
    await system.services.record("strategy", "grid:a", LEFT)
    await system.services.record("strategy", "grid:b", OPENED)
    for _ in range(30):
        await system.services.record("strategy", "grid:b", LEFT)

    of_stream = (await system.ask("events", "tail", "--stream", "grid:a"))["events"]
    of_topic = (await system.ask("events", "tail", "--topic", "grid.opened"))["events"]

    assert [event["id"] for event in of_stream] == ["grid:a@1"]
    assert [event["id"] for event in of_topic] == ["grid:b@1"]


async def test_no_events_are_no_error(system: System) -> None:
    assert await system.ask("events", "tail") == {"events": []}


async def test_one_event_is_shown_as_it_is_stored(system: System) -> None:
    for number in range(1, 6):
        await system.services.record("strategy", "grid:a", LEFT, ts_ns=START_NS + number)
        await system.services.record("strategy", "grid:b", LEFT)

    told = (await system.ask("events", "show", "grid:a@4"))["event"]

    assert told["id"] == "grid:a@4"
    stored = msgspec.json.decode(told["stored"])
    assert (stored["version"], stored["ts_ns"]) == (4, START_NS + 4)


@pytest.mark.parametrize("identity", ["grid:a@2", "grid:a@0", "grid:z@1"])
async def test_an_event_that_was_not_recorded_is_refused(system: System, identity: str) -> None:
    await system.services.record("strategy", "grid:a", LEFT)

    result = await system.run("events", "show", identity, "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "BAD_VALUE")


async def test_a_follower_gets_what_comes_after_the_last_page(system: System) -> None:
    await system.services.record("strategy", "grid:a", LEFT)
    page = await read_last(system.bus, subjects_of(), 10)
    await system.services.record("strategy", "grid:a", LEFT)

    async with asyncio.timeout(10), aclosing(follow(system.bus, subjects_of("grid:a"), page.next_sequence)) as messages:
        first = await anext(messages)

    assert len(page.messages) == 1
    assert msgspec.json.decode(first.body)["version"] == 2


async def test_a_follower_ends_well_with_ctrl_c(system: System) -> None:
    await system.services.record("strategy", "grid:a", LEFT)
    command = ("-m", "gridkeeper_cli", "events", "tail", "--follow", "--json", "--data-dir", str(system.data_dir))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdout=asyncio.subprocess.PIPE,
        # Whoever starts the tests in the background has a shell that lets nobody hear of Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None

    async with asyncio.timeout(30):
        first = await process.stdout.readline()
        await system.services.record("strategy", "grid:b", LEFT)
        second = await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
        ended_with = await process.wait()

    assert [msgspec.json.decode(line)["id"] for line in (first, second)] == ["grid:a@1", "grid:b@1"]
    assert (rest, ended_with) == (b"", 0)


async def test_a_follower_gives_up_when_the_server_is_gone(system: System, nats_server: RunningNats) -> None:
    await system.services.record("strategy", "grid:a", LEFT)
    command = ("-m", "gridkeeper_cli", "events", "tail", "--follow", "--data-dir", str(system.data_dir))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    async with asyncio.timeout(30):
        await process.stdout.readline()
        nats_server.kill()
        _, complaint = await process.communicate()

    assert process.returncode == 1
    assert complaint.decode().startswith("STORE_LOST: ")
    nats_server.restart()
    await eventually(lambda: system.bus.ready)
