"""A process's life as seen from outside: signals, exit codes and the health endpoints."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.health import Health

SERVICE = """
import sys
import asyncio, threading, time
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import life
from gridkeeper_runtime.life import run_until_stopped

async def main(stop):
    print("up", flush=True)
    {body}

sys.exit(run_until_stopped(main, service="sample"))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_in_order(number: signal.Signals) -> None:
    code, said = _run("await stop.wait(); print('cleaned up', flush=True)", number)

    assert code == 0
    assert said == []


def test_a_users_error_is_one_clear_line_and_exit_code_1() -> None:
    code, said = _run("raise ExceptionGroup('tasks', [GridkeeperError('STORE_LOST', field='nats')])")

    assert code == 1
    (line,) = said
    assert line["code"] == "STORE_LOST"
    assert "traceback" not in line


def test_a_fault_of_ours_says_its_traceback_and_exit_code_1() -> None:
    code, said = _run("raise ZeroDivisionError('of ours')")

    assert code == 1
    (line,) = said
    assert line["message"] == "ZeroDivisionError: of ours"
    assert "traceback" in line


def test_a_second_signal_ends_a_process_that_does_not_listen() -> None:
    code, said = _run("import asyncio; await stop.wait(); print('up', flush=True); await asyncio.sleep(600)", *_TWICE)

    assert code == 1
    assert "asked twice" in str(said[0]["message"])


def test_an_end_in_order_that_does_not_come_is_not_waited_for() -> None:
    wait_for_what_never_comes = "life.GRACE_S = 0.1; await stop.wait(); await asyncio.sleep(600)"

    code, said = _run(wait_for_what_never_comes, signal.SIGTERM)

    assert code == 1
    assert "did not end" in str(said[0]["message"])


def test_a_thread_that_hangs_does_not_keep_the_process_and_is_named() -> None:
    hang = "life.LAST_WORD_S = 0.3; await stop.wait(); threading.Thread(target=time.sleep, args=(600,)).start()"
    command = [sys.executable, "-c", SERVICE.format(body=hang)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=20)

    assert child.returncode == 1
    assert "threading.py" in said


_TWICE = (signal.SIGTERM, signal.SIGTERM)


def test_ready_without_reasons_and_not_ready_with_them(health: Health, reasons: list[str]) -> None:
    assert _get(health, "/readyz") == (200, b"[]")

    reasons.append("no price")

    assert _get(health, "/readyz") == (503, b'["no price"]')


def test_alive_while_the_loop_beats_and_not_when_it_stalls(health: Health) -> None:
    assert _get(health, "/livez")[0] == 200

    health.stalled_after_s = 0.0

    assert _get(health, "/livez")[0] == 503


async def test_beating_keeps_it_alive(health: Health) -> None:
    import asyncio

    before = health.stalled_s()
    beating = asyncio.create_task(health.keep_beating())
    await asyncio.sleep(0)

    assert health.stalled_s() < before + 0.5
    beating.cancel()


def test_metrics_are_served_for_prometheus(health: Health) -> None:
    status, body = _get(health, "/metrics")

    assert status == 200
    assert b"sample_total 1.0" in body


def test_another_path_is_not_found(health: Health) -> None:
    assert _get(health, "/")[0] == 404


def test_a_port_in_use_is_said_clearly(health: Health) -> None:
    with pytest.raises(GridkeeperError) as refusal:
        Health(list, port=health.port)
    assert refusal.value.code == "PORT_IN_USE"
    assert str(health.port) in refusal.value.value


def _run(body: str, *signals: signal.Signals) -> tuple[int, list[dict[str, object]]]:
    command = [sys.executable, "-c", SERVICE.format(body=body)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for number in signals:
            assert child.stdout.readline() == "up\n"
            child.send_signal(number)
        _, said = child.communicate(timeout=20)
        return child.returncode, [msgspec.json.decode(line) for line in said.splitlines()]


def _get(health: Health, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{health.port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
