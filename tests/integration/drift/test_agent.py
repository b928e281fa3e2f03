"""The signing agent as a process of its own: it signs for its user within its limits, and its key is seen nowhere."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.agent_client import AgentSigner, open_signer
from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.keys import Signer, make_key_file
from gridkeeper_drift.opening import AccountConfig, drift_venue
from gridkeeper_drift.owner import OwnerDesk
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.sender import Landed
from gridkeeper_drift.venue import Account, DriftVenue
from support.in_memory import URL, InMemorySandbox
from support.secret_forms import secret_forms
from support.simulated_time import run_simulated
from support.venue import order, roll

OWNER = Keypair.from_seed(bytes([1] * 32)).pubkey()
ORACLE, QUOTE_ORACLE = (Pubkey.from_bytes(bytes([number] * 32)) for number in (4, 5))
STARTED_WITHIN_S = 20.0


class RunningAgent:
    """The process, its socket, and everything it wrote."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "agent.sock"
        self.key = folder / "bot.json"
        self.public_key = make_key_file(self.key)
        self.log = folder / f"agent-{time.monotonic_ns()}.log"
        argv = [sys.executable, "-m", "gridkeeper_cli", "agent", "--key", str(self.key), "--socket", str(self.socket),
                "--authority", str(OWNER), "--band", "0:2:100:200"]  # fmt: skip
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(argv, stdout=out, stderr=out, cwd=folder, preexec_fn=_allow_dumps)

    def until_it_listens(self) -> None:
        deadline_s = time.monotonic() + STARTED_WITHIN_S
        while not self._listens():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self.socket)) == 0


def _allow_dumps() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    del soft
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


@contextmanager
def running_agent(folder: Path) -> Iterator[RunningAgent]:
    agent = RunningAgent(folder)
    try:
        agent.until_it_listens()
        yield agent
    finally:
        agent.process.kill()
        agent.process.wait()


def message(signer: Pubkey, price: str) -> MessageV0:
    trader = Trader(OWNER, 0, signer)
    part = instructions.place_orders(trader, [order("buy", price)], [MarketAccounts(0, ORACLE)], QUOTE_ORACLE)
    return MessageV0.try_compile(signer, [part], [], Hash.default())


def test_an_agent_signs_inside_of_its_limits_and_shows_its_key_nowhere(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        signer = open_signer(f"agent:{agent.socket}")
        assert str(signer.public_key) == agent.public_key

        allowed = message(signer.public_key, "150")
        assert signer.sign(allowed).verify(signer.public_key, to_bytes_versioned(allowed))
        with pytest.raises(GridkeeperError, match=r"SIGNER_REFUSED.*a price is not between"):
            signer.sign(message(signer.public_key, "201"))

        assert agent.socket.stat().st_mode & 0o777 == 0o600
        limits = Path(f"/proc/{agent.process.pid}/limits").read_text().splitlines()
        assert [line.split()[4:6] for line in limits if line.startswith("Max core")] == [["0", "0"]]
        agent.process.send_signal(signal.SIGABRT)
        agent.process.wait(timeout=10)

        written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != agent.key)
        assert b"Signed" in written
        assert b"Refused" in written
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("core")]
        for form in secret_forms(agent.key):
            assert form not in written
            assert form not in repr(signer).encode()


def test_an_agent_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(GridkeeperError, match="SIGNER_AWAY"):
        AgentSigner(tmp_path / "nobody.sock")


def test_a_second_agent_on_the_same_socket_is_refused_and_a_left_over_socket_is_taken(tmp_path: Path) -> None:
    with running_agent(tmp_path) as first:
        second = RunningAgent(tmp_path)
        assert second.process.wait(timeout=STARTED_WITHIN_S) == 1
        assert "PORT_IN_USE" in second.log.read_text()
        assert str(AgentSigner(first.socket).public_key) == first.public_key
        first.process.kill()
        first.process.wait()
    assert first.socket.exists()
    third = RunningAgent(tmp_path)
    try:
        deadline_s = time.monotonic() + STARTED_WITHIN_S
        while "signs as" not in third.log.read_text():
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
    finally:
        third.process.kill()
        third.process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_gets_no_signature() -> None:
    with tempfile.TemporaryDirectory() as name, running_agent(Path(name)) as agent:
        # Even where the modes of folder and socket would let him in.
        Path(name).chmod(0o755)
        agent.socket.chmod(0o666)
        assert b"you are another user" in _asked_by_nobody(agent.socket)


def _asked_by_nobody(path: Path) -> bytes:
    """What the agent answers to a process of another user."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                connection.sendall(b"{}\n")
                os.write(writing, connection.recv(999))
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as answer:
        return answer.read()


def test_a_venue_trades_through_an_agent_that_is_the_delegate(tmp_path: Path) -> None:
    owner = Signer(Keypair.from_seed(bytes([1] * 32)))

    async def story(agent: RunningAgent) -> tuple[object, list[int]]:
        chain = InMemorySandbox(tmp_path / "chain")
        try:
            chain.open_account(owner.keypair)
            chain.price(150)
            chain.sandbox.fund(Pubkey.from_string(agent.public_key), 10**9, 0)
            rpc = RpcClient(URL, commitment="confirmed", transport=chain.transport)
            async with DriftVenue(rpc, [Account("main", OWNER, 0, owner)]) as venue:
                await OwnerDesk(venue, "main").set_delegate(Pubkey.from_string(agent.public_key))
            config = AccountConfig("main", str(OWNER), 0, f"agent:{agent.socket}")
            async with drift_venue(URL, [config], transport=chain.transport) as venue:
                await venue.read_market("SOL-PERP")
                await venue.prepare()
                outcome = await venue.sender.deliver(venue.sign(roll(order("buy", "149"))))
                orders = (await venue.read_accounts())["main"].orders
                assert isinstance(outcome, Landed)
                return outcome.error, [resting.price_e6 for resting in orders]
        finally:
            chain.close()

    with running_agent(tmp_path) as agent:
        assert run_simulated(story(agent)) == (None, [149_000_000])
