"""`gridkeeper doctor`: what it says where nothing runs, where parts are missing, and of trading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.prices import publish_price
from gridkeeper_bus.requests import RequestServer
from gridkeeper_bus.streams import declare_all, px_config
from gridkeeper_cli import doctor, doctor_services
from gridkeeper_cli.doctor import examine
from gridkeeper_cli.doctor_check import Check
from gridkeeper_cli.doctor_machine import machine_checks
from gridkeeper_cli.doctor_services import store_checks, stream_checks
from gridkeeper_cli.doctor_trading import trading_checks
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import Quiet
from gridkeeper_core.units import NS_PER_S
from gridkeeper_runtime.datadir import RunFile, locked, write_run_file
from support.audited_record import AuditedRecord
from support.command import ACCOUNT, SPEC, START_NS, document, run
from support.command_answers import DETAIL
from support.scripted_rpc import scripted_endpoint
from support.servers import eventually

pytestmark = pytest.mark.servers


def run_file(nats_url: str = "", postgres_url: str = "", rpc_url: str = "") -> RunFile:
    return RunFile(
        version="0.1.0",
        started_at="2026-01-01T00:00:00Z",
        supervisor_pid=1,
        nats_url=nats_url,
        postgres_url=postgres_url,
        rpc_url=rpc_url,
    )


def status(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.status for check in checks}


class Trading:
    """Strategy and execution, as far as the doctor asks them."""

    def __init__(self, bus: Bus, now_ns: int) -> None:
        self.bus = bus
        self.now_ns = now_ns
        self.account = ACCOUNT
        self.server = RequestServer(bus, name="scripted", version="0.1.0")

    async def answer(self, subject: str, _body: bytes) -> bytes:
        what = subject.rpartition(".")[2]
        answers: dict[str, object] = {
            "quiet": Quiet(service="strategy", now_ns=self.now_ns),
            "grids": [DETAIL.view],
            "markets": [SPEC],
            "accounts": [self.account],
        }
        return msgspec.json.encode(answers[what])

    async def price(self, ts_ns: int) -> None:
        held = (await self.bus.js.stream_info("PX")).state.last_seq
        await publish_price(
            self.bus, Price(market=SPEC.symbol, source="test", source_seq=1, ts_ns=ts_ns, oracle_e6=100_000_000)
        )

        async def arrived() -> bool:
            return (await self.bus.js.stream_info("PX")).state.last_seq > held

        await eventually(arrived)

    async def checks(self, rpc_url: str = "") -> dict[str, str]:
        return status(await trading_checks(self.bus, run_file(rpc_url=rpc_url)))


@pytest.fixture
async def trading(nats_url: str) -> AsyncIterator[Trading]:
    """On a tape."""
    bus = await connect(nats_url, "test")
    await declare_all(bus, ev_max_bytes=64 * 1024 * 1024)
    made = Trading(bus, START_NS)
    await made.server.serve("query.0.*.*", made.answer)
    yield made
    await made.server.stop()
    await bus.close()


def test_where_nothing_runs_it_says_so_and_nothing_fails(tmp_path: Path) -> None:
    result = run("doctor", "--json", data_dir=tmp_path / "none")

    checks = {check["name"]: check for check in document(result)["doctor"]["checks"]}
    assert result.exit_code == 0
    assert checks["running"]["status"] == "warn"
    assert checks["running"]["told"] == "Nothing runs on this data directory."
    assert not (tmp_path / "none").exists()


def test_a_data_dir_others_may_enter_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    checks, _ = machine_checks(tmp_path)

    assert status(checks)["data dir"] == "warn"


def test_a_gridkeeper_that_is_about_to_start_is_said(tmp_path: Path) -> None:
    with locked(tmp_path, "0.1.0"):
        checks, run = machine_checks(tmp_path)

    assert run is None
    assert "about to start" in next(check.told for check in checks if check.name == "running")


async def test_services_that_do_not_run_fail_and_servers_are_looked_at_all_the_same(
    record: AuditedRecord, tmp_path: Path
) -> None:
    with locked(tmp_path, "0.1.0"):
        write_run_file(tmp_path, run_file(record.nats_url, record.postgres_url))
        found = status(await examine(tmp_path))
        result = await asyncio.to_thread(run, "doctor", data_dir=tmp_path)

    assert found["service strategy"] == "fail"
    assert found["nats EV"] == found["nats PX"] == found["postgresql"] == found["outbox execution"] == "ok"
    assert found["trading"] == "fail"
    assert result.exit_code == 1


async def test_nats_that_cannot_be_reached_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CONNECT_PATIENCE_S", 0.3)
    with locked(tmp_path, "0.1.0"):
        write_run_file(tmp_path, run_file("nats://127.0.0.1:1"))
        found = status(await examine(tmp_path))

    assert found["nats"] == "fail"


async def test_a_stream_that_is_set_up_otherwise_fails(trading: Trading) -> None:
    config = px_config()
    config.max_msgs_per_subject = 7
    await trading.bus.js.update_stream(config)

    found = await stream_checks(trading.bus)

    assert status(found) == {"nats EV": "ok", "nats PX": "fail"}
    assert "max_msgs_per_subject is 7, expected 1000" in found[1].told


async def test_events_that_do_not_get_out_fail(record: AuditedRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_services, "PUBLISHED_WITHIN_S", 0.2)
    table = "strategy_0.strategy_0_events"
    copied = "(notification_id, originator_id, originator_version, topic, state)"
    record.sql(f"INSERT INTO {table} {copied} SELECT 999, originator_id, 999, topic, state FROM {table} LIMIT 1")

    found = status(await store_checks(record.bus, run_file(record.nats_url, record.postgres_url)))

    assert (found["outbox strategy"], found["outbox execution"]) == ("fail", "ok")


async def test_postgresql_without_tables_fails(trading: Trading, postgres_url: str) -> None:
    assert status(await store_checks(trading.bus, run_file("", postgres_url))) == {"postgresql": "fail"}


async def test_a_tape_goes_by_its_own_clock(trading: Trading) -> None:
    await trading.price(START_NS - 3600 * NS_PER_S)

    assert await trading.checks() == {"price SOL-PERP": "ok", "account main": "ok", "clock": "ok"}


@pytest.mark.parametrize(("age_s", "expected"), [(1, "ok"), (20, "warn"), (300, "fail")])
async def test_a_price_that_is_too_old_is_said(trading: Trading, age_s: int, expected: str) -> None:
    trading.now_ns = time.time_ns()
    await trading.price(trading.now_ns - age_s * NS_PER_S)

    assert (await trading.checks())["price SOL-PERP"] == expected


async def test_a_market_without_a_price_fails_where_a_grid_trades_it(trading: Trading) -> None:
    assert (await trading.checks())["price SOL-PERP"] == "fail"


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"differs": True}, "fail"), ({"halted": "trouble"}, "warn"), ({"phase": "recovering"}, "warn")],
)
async def test_an_account_that_is_not_well_is_said(trading: Trading, change: dict[str, object], expected: str) -> None:
    trading.account = msgspec.structs.replace(ACCOUNT, **change)

    assert (await trading.checks())["account main"] == expected


@pytest.mark.parametrize(("apart_s", "expected"), [(0, "ok"), (6, "warn"), (60, "fail")])
async def test_a_clock_apart_from_the_chain_is_said(trading: Trading, apart_s: int, expected: str) -> None:
    trading.now_ns = time.time_ns()
    async with scripted_endpoint() as rpc:
        rpc.answer_with("getSlot", 7)
        rpc.answers["getBlockTime"] = lambda _: time.time_ns() // NS_PER_S - apart_s

        assert (await trading.checks(rpc.url))["clock"] == expected


async def test_an_endpoint_that_does_not_answer_fails(trading: Trading) -> None:
    trading.now_ns = time.time_ns()

    assert (await trading.checks("http://127.0.0.1:1"))["clock"] == "fail"
