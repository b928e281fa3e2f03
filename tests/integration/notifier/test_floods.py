"""A thousand fills and a flapping breaker reach the notifier as a process: a handful of messages, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import msgspec
import pytest

from gridkeeper_bus.connection import Bus
from gridkeeper_core.events import FillBooked
from gridkeeper_runtime.ports import choose_port
from support.alerts import booked
from support.receivers import Receiver, receiving
from support.scripted_services import ScriptedServices
from support.servers import eventually
from support.service_process import running_service

pytestmark = pytest.mark.servers

FILLS = 1_000
FLAPS = 30
HANDFUL = 9
"""Three of a kind at once, of two kinds (it opens, it closes), and digests of those and of the fills."""
POLICY = json.dumps({"digest_every_s": 8})


def fill(number: int) -> FillBooked:
    """Every second one a sale that earns one cent."""
    told = booked("sell", grid_quote_e6=10_000) if number % 2 else booked("buy")
    return msgspec.structs.replace(told, intent_id=f"sol/{told.side}/1/{number}", fill_record_id=number)


def breaker(number: int, status: str) -> dict[str, object]:
    """What Alertmanager posts."""
    alert = {
        "status": status,
        "labels": {"alertname": "BreakerOpen", "severity": "warning", "endpoint": "rpc"},
        "annotations": {"summary": "No requests go to rpc: it failed too often."},
        "startsAt": f"2026-01-01T00:00:{number:02}Z",
        "fingerprint": "b",
    }
    return {"version": "4", "alerts": [alert]}


def fills_told(receiver: Receiver) -> int:
    """How many fills the digests count together."""
    return sum(body["count"] for body in receiver.bodies if "fills" in body["text"])


def flaps_told(receiver: Receiver) -> int:
    """How many beginnings and ends of the alert were told, one by one or in a digest."""
    return sum(body["count"] for body in receiver.bodies if "No requests" in body["text"])


async def test_a_flood_is_a_handful_of_messages_and_a_dead_channel_gets_them_in_the_end(
    bus: Bus, nats_url: str, postgres_url: str, tmp_path: Path
) -> None:
    webhook, chat, listen = choose_port(), choose_port(), choose_port()
    settings = {
        "data_dir": str(tmp_path),
        "channels": "webhook,chat",
        "webhook_url": f"http://127.0.0.1:{webhook}/hook",
        "urls": json.dumps({"chat": f"json://127.0.0.1:{chat}/"}),
        "alerts_port": str(listen),
        "policy": POLICY,
    }
    ledger = ScriptedServices(bus)
    with receiving(webhook) as receiver:
        async with (
            running_service("notifier", nats_url, postgres_url, **settings) as notifier,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{listen}") as alertmanager,
        ):
            for number in range(FLAPS):
                for status in ("firing", "resolved"):
                    await alertmanager.post("/alertmanager", json=breaker(number, status))
            for number in range(FILLS):
                await ledger.record("ledger", "ledger:sol", fill(number))
            await eventually(lambda: fills_told(receiver) == FILLS, within_s=40)
            await eventually(lambda: flaps_told(receiver) == 2 * FLAPS, within_s=20)
            assert await notifier.is_ready(), "the dead channel keeps nobody from work"
            assert await notifier.stop() == 0

        assert len(receiver.received) <= HANDFUL
        profit = [body["text"] for body in receiver.bodies if "fills" in body["text"]]
        assert all("SOL, grid profit +" in text for text in profit)
        with receiving(chat) as late:
            async with running_service("notifier", nats_url, postgres_url, **settings):
                await eventually(lambda: len(late.received) == len(receiver.received), within_s=20)

    told = [body["text"] for body in receiver.bodies]
    assert [text for text, body in zip(told, late.bodies, strict=True) if text not in body["message"]] == []
