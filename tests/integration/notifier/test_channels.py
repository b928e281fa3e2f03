"""Chats and mail through Apprise, Alertmanager's webhook, and a message that a person asks for."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import msgspec
import pytest

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.requests import request
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridRejected
from gridkeeper_core.inputs import TestNotification
from gridkeeper_core.names import command_subject, query_subject
from gridkeeper_core.requests import ChannelState, CommandRequest
from gridkeeper_notifier.adapters.apprise_channel import AppriseChannel
from gridkeeper_runtime.ports import choose_port
from support.receivers import receiving, receiving_mail
from support.scripted_services import ScriptedServices
from support.servers import eventually
from support.service_process import running_service

pytestmark = pytest.mark.servers

REJECTED = GridRejected(code="MARGIN_SHORT", detail="too little")
TOKEN = "s3cr3t-token"


def chat_and_mail(data_dir: Path, chat: int, mail: int) -> dict[str, str]:
    urls = {
        "chat": f"json://127.0.0.1:{chat}/{TOKEN}",
        "mail": f"mailto://127.0.0.1:{mail}?from=grid@example.com&to=desk@example.com&mode=insecure",
    }
    return {"data_dir": str(data_dir), "channels": "chat,mail", "urls": json.dumps(urls)}


async def states(bus: Bus) -> dict[str, ChannelState]:
    answer = await request(bus, query_subject(0, "notifier", "channels"))
    return {state.channel: state for state in msgspec.json.decode(answer, type=list[ChannelState])}


async def test_chat_and_mail_get_the_message_with_its_id(
    bus: Bus, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    chat, mail = choose_port(), choose_port()
    with receiving(chat) as receiver, receiving_mail(mail) as mailbox:
        async with running_service("notifier", nats_url, postgres_url, **chat_and_mail(tmp_path, chat, mail)):
            await ScriptedServices(bus).record("strategy", "grid:sol", REJECTED)
            await eventually(lambda: bool(receiver.received) and bool(mailbox.texts))

    assert "MARGIN_SHORT" in receiver.bodies[0]["message"]
    assert "alert:sol@1" in receiver.bodies[0]["message"]
    assert "MARGIN_SHORT" in mailbox.texts[0]
    assert "alert:sol@2" in mailbox.texts[0]


async def test_a_dead_mail_server_neither_blocks_the_chat_nor_loses_a_message(
    bus: Bus, nats_url: str, postgres_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chat, mail = choose_port(), choose_port()
    others = ScriptedServices(bus)
    with receiving(chat) as receiver:
        async with running_service("notifier", nats_url, postgres_url, **chat_and_mail(tmp_path, chat, mail)) as one:
            await others.record("strategy", "grid:sol", REJECTED)
            await others.record("strategy", "grid:eth", REJECTED)
            await eventually(lambda: len(receiver.received) == 2)
            waiting = (await states(bus))["mail"]
            assert await one.stop() == 0
            assert (waiting.waiting, waiting.delivered) == (2, "")
            assert TOKEN not in "".join(capfd.readouterr())
        with receiving_mail(mail) as mailbox:
            async with running_service("notifier", nats_url, postgres_url, **chat_and_mail(tmp_path, chat, mail)):
                await eventually(lambda: len(mailbox.texts) == 2)
        assert len(receiver.received) == 2, "the chat has them already"


async def test_alertmanager_is_answered_when_its_alerts_are_recorded(
    bus: Bus, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    chat, listen = choose_port(), choose_port()
    urls = json.dumps({"chat": f"json://127.0.0.1:{chat}/"})
    settings = {"data_dir": str(tmp_path), "channels": "chat", "urls": urls, "alerts_port": str(listen)}
    alert = {
        "status": "firing",
        "labels": {"alertname": "PriceStale", "severity": "critical", "market": "SOL-PERP"},
        "annotations": {"summary": "SOL-PERP has no fresh price.", "runbook_url": "https://example.com/price-stale"},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f00d",
        "generatorURL": "http://prometheus:9090/graph",
    }
    body = {"version": "4", "status": "firing", "alerts": [alert]}
    with receiving(chat) as receiver:
        async with (
            running_service("notifier", nats_url, postgres_url, **settings),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{listen}") as client,
        ):
            for _ in range(2):  # Alertmanager repeats itself
                assert (await client.post("/alertmanager", json=body)).status_code == 200
            resolved = body | {"alerts": [alert | {"status": "resolved"}]}
            assert (await client.post("/alertmanager", json=resolved)).status_code == 200
            assert (await client.post("/alertmanager", content=b"{")).status_code == 400
            await eventually(lambda: len(receiver.received) == 2)

    begin, end = (body["message"] for body in receiver.bodies)
    assert begin.startswith("SOL-PERP has no fresh price. What to do: https://example.com/price-stale")
    assert end.startswith("Over: SOL-PERP has no fresh price.")


async def test_a_silent_alertmanager_is_told_of_and_its_return_too(
    bus: Bus, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    chat, listen = choose_port(), choose_port()
    urls = json.dumps({"chat": f"json://127.0.0.1:{chat}/"})
    settings = {"data_dir": str(tmp_path), "channels": "chat", "urls": urls, "alerts_port": str(listen)}
    watchdog = {"status": "firing", "labels": {"alertname": "Watchdog"}, "startsAt": "x", "fingerprint": "w"}
    with receiving(chat) as receiver:
        async with (
            running_service("notifier", nats_url, postgres_url, **settings, alertmanager_silent_s="1"),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{listen}") as client,
        ):
            await eventually(lambda: len(receiver.received) == 1)
            assert (await client.post("/alertmanager", json={"alerts": [watchdog]})).status_code == 200
            await eventually(lambda: len(receiver.received) >= 2)

    assert "Alertmanager was not heard for 1 s" in receiver.bodies[0]["message"]
    assert receiver.bodies[1]["message"].startswith("Over: ")


async def test_a_test_message_is_sent_to_the_channel_asked_for(
    bus: Bus, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    chat, mail = choose_port(), choose_port()
    subject = command_subject(0, "alert", "fleet", "test")

    def wish(key: str, channel: str) -> bytes:
        body = TestNotification(channel=channel)
        return msgspec.json.encode(CommandRequest(key=key, author="ann", reason="set-up", body=body))

    with receiving(chat) as receiver:
        async with running_service("notifier", nats_url, postgres_url, **chat_and_mail(tmp_path, chat, mail)):
            await request(bus, subject, wish("k1", "chat"))
            await eventually(lambda: len(receiver.received) == 1)
            with pytest.raises(GridkeeperError) as refusal:
                await request(bus, subject, wish("k2", "pager"))

    assert "asked for by ann" in receiver.bodies[0]["message"]
    assert refusal.value.code == "BAD_VALUE"


def test_a_url_nobody_knows_is_refused_and_not_shown() -> None:
    with pytest.raises(GridkeeperError) as refusal:
        AppriseChannel("chat", f"nonsense://{TOKEN}")

    assert refusal.value.field == "notify.channels.chat"
    assert TOKEN not in str(refusal.value)
