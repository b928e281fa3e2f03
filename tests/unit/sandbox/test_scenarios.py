"""When the faults of a scenario strike, from its file or by command, and which scenarios are refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import httpx
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_sandbox.faults import Fault, Faults, Scenario, read_scenario
from support.chain_client import ChainClient
from support.in_memory import URL, InMemorySandbox
from support.simulated_time import run_simulated


def test_equal_seeds_strike_the_same_requests() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults()
        faults.set(Scenario(seed=seed, fault=(Fault(kind="slow", share=0.3),)), 0)
        return [faults.strike(("slow",), ("getSlot",), 0) is not None for _ in range(200)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 30 < sum(struck(1)) < 90


def test_a_fault_holds_from_and_until_its_seconds() -> None:
    faults = Faults()
    faults.set(Scenario(fault=(Fault(kind="slow", from_s=10, until_s=20),)), 5 * 10**9)
    times = [14, 15, 24, 25]
    assert [faults.strike(("slow",), ("x",), at * 10**9) is not None for at in times] == [False, True, True, False]


def test_a_scenario_of_the_start_waits_for_the_first_price_and_is_in_force_at_once_after_a_restart(
    tmp_path: Path,
) -> None:
    scenario = tmp_path / "faults.toml"
    scenario.write_text('[[fault]]\nkind = "server-error"\n')

    async def statuses(*, moves: bool) -> list[int]:
        with closing(InMemorySandbox(tmp_path / "chain", scenario=scenario)) as chain:
            found = [await _status(chain)]
            if moves:
                chain.price(150)
                found.append(await _status(chain))
            return found

    assert run_simulated(statuses(moves=True)) == [200, 503]
    assert run_simulated(statuses(moves=False)) == [503]


def test_a_scenario_file_is_read_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('seed = 4\n[[fault]]\nkind = "fork"\nmethod = "keepers"\nshare = 0.5\n')
    assert read_scenario(path) == Scenario(seed=4, fault=(Fault(kind="fork", method="keepers", share=0.5),))
    for text in ('[[fault]]\nkind = "flood"\n', '[[fault]]\nkind = "slow"\nshare = 2.0\n', "fault = 3", "="):
        path.write_text(text)
        with pytest.raises(GridkeeperError) as refused:
            read_scenario(path)
        assert refused.value.code == "BAD_VALUE"
    with pytest.raises(GridkeeperError) as missing:
        read_scenario(tmp_path / "none.toml")
    assert missing.value.code == "BAD_FILE"


def test_faults_that_need_time_are_refused_in_lockstep(tmp_path: Path) -> None:
    chain = ChainClient(tmp_path / "chain", lockstep=True)
    with pytest.raises(GridkeeperError):
        chain.sandbox.set_faults(Scenario(fault=(Fault(kind="fork"),)))
    chain.sandbox.set_faults(Scenario(fault=(Fault(kind="rate-limit"),)))
    chain.sandbox.close()


async def _status(chain: InMemorySandbox) -> int:
    async with httpx.AsyncClient(transport=chain.transport) as client:
        return (await client.post(URL, json={"jsonrpc": "2.0", "id": 1, "method": "getSlot"})).status_code
