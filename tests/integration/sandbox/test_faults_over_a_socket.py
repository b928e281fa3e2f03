"""Each kind of fault is met by unmodified driftpy over a real socket, and is over when it has struck."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from solders.keypair import Keypair

from gridkeeper_sandbox.faults import FaultKind
from support.sandbox import running_sandbox

TESTS = Path(__file__).parents[2]
KEYPAIR = Keypair.from_seed(bytes(range(32)))
MET: dict[str, Any] = {
    "rate-limit": ["HTTPStatusError", ""],
    "server-error": ["HTTPStatusError", ""],
    "slow": ["ReadTimeout", ""],
    "lost-request": ["RemoteProtocolError", ""],
    "lost-answer": ["RemoteProtocolError", ""],
    "null-transaction": [True, False],
    "truncated-logs": ["Log truncated", 0, 2],
    "slot-regression": [True, True],
    "lost-transaction": [True, False],
    "late-transaction": [False, True],
    "fork": [True, True],
    "dropped-websocket": "ConnectionClosed",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What driftpy said of every kind, in one session."""
    folder = tmp_path_factory.mktemp("chain")
    with running_sandbox(folder, confirmed_slots=1) as sandbox:
        sandbox.fund(KEYPAIR.pubkey())
        sandbox.price(150, 1)
        sandbox.open_account(KEYPAIR)
        command = [sys.executable, "-m", "support.driftpy_faults", sandbox.url, KEYPAIR.to_json()]
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return told


@pytest.mark.parametrize("kind", MET)
def test_driftpy_meets_the_fault_and_the_next_request_is_well(seen: dict[str, Any], kind: str) -> None:
    assert seen[kind] == MET[kind]


def test_driftpy_cannot_read_garbage_and_reads_what_comes_after_it(seen: dict[str, Any]) -> None:
    first, second = seen["garbage"]
    assert first
    assert second == ""


def test_every_kind_of_fault_is_met() -> None:
    assert {*MET, "garbage"} == set(get_args(FaultKind))
