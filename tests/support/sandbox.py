"""A sandbox of one test's own, as a process: start it, kill it, start it again on the same chain."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from gridkeeper_core.prices.price import Price
from gridkeeper_runtime.ports import choose_port, is_free
from support.chain_client import account_parts, sign

READY_WITHIN_S = 60
SOL_LAMPORTS = 10**9


class RunningSandbox:
    """A sandbox process and short ways to ask it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.port = _two_free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        values = {"state_dir": folder, "port": self.port, "sync": "false", **settings}
        self._env = {f"GRIDKEEPER_SANDBOX_{name.upper()}": str(value) for name, value in values.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        command = [sys.executable, "-m", "gridkeeper_sandbox"]
        self._process = subprocess.Popen(command, env={**os.environ, **self._env})
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            assert self._process.poll() is None, "the sandbox ended at its start"
            try:
                if httpx.get(f"{self.url}/health").status_code == 200:
                    return
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the sandbox did not start"
                time.sleep(0.05)

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ends in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def ask(self, method: str, *params: Any) -> Any:
        """The whole answer of one request."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return httpx.post(self.url, json=body).json()

    def result(self, method: str, *params: Any) -> Any:
        """The result of one request that must not fail."""
        answer = self.ask(method, *params)
        assert "result" in answer, answer
        return answer["result"]

    def fund(self, wallet: Pubkey, quote_e6: int = 10_000 * 10**6) -> None:
        """10 SOL and some of the quote asset."""
        self.result("sandbox_fund", str(wallet), {"lamports": 10 * SOL_LAMPORTS, "quote_e6": quote_e6})

    def open_account(self, keypair: Keypair, deposit_e6: int = 1_000 * 10**6) -> str:
        """Makes the first sub-account of a funded wallet and pays into it; the transaction's signature."""
        wallet = keypair.pubkey()
        blockhash = self.result("getLatestBlockhash", {"commitment": "confirmed"})["value"]["blockhash"]
        transaction = sign(keypair, account_parts(wallet, deposit_e6), Hash.from_string(blockhash))
        text = base64.b64encode(bytes(transaction)).decode()
        return str(self.result("sendTransaction", text, {"encoding": "base64", "preflightCommitment": "processed"}))

    def price(self, usd: float, seq: int, *, at_ns: int = 0, market: str = "SOL-PERP") -> dict[str, Any]:
        """One row of the market; gives what it led to."""
        now_ns = at_ns or time.time_ns()
        oracle_e6 = round(usd * 10**6)
        row = Price(market=market, source="test", source_seq=seq, ts_ns=now_ns, oracle_e6=oracle_e6)
        fields = {name: getattr(row, name) for name in row.__struct_fields__}
        answer: dict[str, Any] = self.result("sandbox_advance", {"rows": [fields]})
        return answer


@contextmanager
def running_sandbox(folder: Path, **settings: object) -> Iterator[RunningSandbox]:
    """A sandbox that is gone in the end."""
    running = RunningSandbox(folder, **settings)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def _two_free_ports() -> int:
    while True:
        port = choose_port()
        if is_free(port + 1):
            return port
