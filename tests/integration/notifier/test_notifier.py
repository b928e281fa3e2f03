"""The notifier as a process: what it committed reaches every channel, in order, at least once, through every outage."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.streams import declare_all
from gridkeeper_core.events import AccountLive, Difference, GridRejected, VenueDiffers
from gridkeeper_runtime.ports import choose_port
from support.receivers import receiving
from support.scripted_services import ScriptedServices
from support.servers import eventually
from support.service_process import running_service

pytestmark = pytest.mark.servers

REJECTED = GridRejected(code="MARGIN_SHORT", detail="too little")
DIFFERS = VenueDiffers(slot=5, differences=(Difference(what="deposit_e6", venue=1, ours=2),))


@pytest.fixture
async def others(nats_url: str) -> AsyncIterator[ScriptedServices]:
    bus: Bus = await connect(nats_url, "test")
    await declare_all(bus)
    yield ScriptedServices(bus)
    await bus.close()


def settings(data_dir: Path, port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}/hook?token=secret"
    return {"data_dir": str(data_dir), "channels": "terminal,webhook", "webhook_url": url}


def terminal_ids(data_dir: Path) -> list[str]:
    file = data_dir / "notices.log"
    return [json.loads(line)["id"] for line in file.read_text().splitlines()] if file.exists() else []


def is_remembered(data_dir: Path, channel: str, message_id: str) -> bool:
    file = data_dir / "notifier" / f"{channel}.json"
    return file.exists() and bool(json.loads(file.read_text())["last_id"] == message_id)


async def test_a_message_reaches_every_channel_with_its_id(
    others: ScriptedServices, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    port = choose_port()
    with receiving(port) as receiver:
        async with running_service("notifier", nats_url, postgres_url, **settings(tmp_path, port)) as notifier:
            await others.record("strategy", "grid:sol", REJECTED)
            await eventually(lambda: bool(receiver.received) and bool(terminal_ids(tmp_path)))
            assert await notifier.stop() == 0

    ((header, message),) = receiver.received
    assert header == message["id"] == "alert:sol@2"
    assert terminal_ids(tmp_path) == ["alert:sol@1"]
    assert message["severity"] == "warning"
    assert message["about"] == ["grid:sol@1"]
    assert "MARGIN_SHORT" in message["text"]


async def test_a_dead_channel_holds_up_no_other_and_gets_everything_in_the_end(
    others: ScriptedServices, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    port = choose_port()
    async with running_service("notifier", nats_url, postgres_url, **settings(tmp_path, port)) as notifier:
        await others.record("strategy", "grid:sol", REJECTED)
        await others.record("execution", "account:main", DIFFERS)
        await eventually(lambda: len(terminal_ids(tmp_path)) == 2)
        assert await notifier.is_ready()

        with receiving(port) as receiver:
            await eventually(lambda: len(receiver.received) == 2, within_s=15)

    assert receiver.ids == ["alert:sol@2", "alert:main@2"]


async def test_what_was_not_delivered_is_delivered_after_a_restart_and_nothing_twice(
    others: ScriptedServices, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    port = choose_port()
    with receiving(port) as receiver:
        async with running_service("notifier", nats_url, postgres_url, **settings(tmp_path, port)):
            await others.record("strategy", "grid:first", REJECTED)
            await eventually(lambda: receiver.ids == ["alert:first@2"])
            await eventually(lambda: is_remembered(tmp_path, "webhook", "alert:first@2"))
            await eventually(lambda: is_remembered(tmp_path, "terminal", "alert:first@1"))
    async with running_service("notifier", nats_url, postgres_url, **settings(tmp_path, port)) as notifier:
        await others.record("strategy", "grid:second", REJECTED)
        await eventually(lambda: is_remembered(tmp_path, "terminal", "alert:second@1"))
        await notifier.kill()

    with receiving(port) as receiver:
        async with running_service("notifier", nats_url, postgres_url, **settings(tmp_path, port)):
            await others.record("strategy", "grid:third", REJECTED)
            await eventually(lambda: is_remembered(tmp_path, "webhook", "alert:third@2"))
            await eventually(lambda: is_remembered(tmp_path, "terminal", "alert:third@1"))

    assert receiver.ids == ["alert:second@2", "alert:third@2"]
    assert terminal_ids(tmp_path) == ["alert:first@1", "alert:second@1", "alert:third@1"]


async def test_an_answer_that_is_no_success_is_tried_again_under_the_same_id(
    others: ScriptedServices, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    port = choose_port()
    with receiving(port) as receiver:
        receiver.status = 500
        async with running_service("notifier", nats_url, postgres_url, **settings(tmp_path, port)):
            await others.record("execution", "account:main", DIFFERS)
            await eventually(lambda: len(receiver.received) == 1)
            receiver.status = 204
            await eventually(lambda: len(receiver.received) == 2)
            await eventually(lambda: is_remembered(tmp_path, "webhook", "alert:main@2"))

    assert receiver.ids == ["alert:main@2", "alert:main@2"]


async def test_a_lost_memory_repeats_messages_and_loses_none(
    others: ScriptedServices, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    live = AccountLive(slot=1, open_orders=0, fills_found=0, orders_closed=0, foreign_orders=0)
    async with running_service("notifier", nats_url, postgres_url, data_dir=str(tmp_path)):
        await others.record("execution", "account:main", live)
        await eventually(lambda: terminal_ids(tmp_path) == ["alert:main@1"])
        await eventually(lambda: is_remembered(tmp_path, "terminal", "alert:main@1"))
    (tmp_path / "notifier" / "terminal.json").unlink()

    async with running_service("notifier", nats_url, postgres_url, data_dir=str(tmp_path)):
        await eventually(lambda: terminal_ids(tmp_path) == ["alert:main@1", "alert:main@1"])
