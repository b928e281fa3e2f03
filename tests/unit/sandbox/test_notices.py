"""What a websocket is told, and when: at the commitment it asked for, and nothing of a fork that was left."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from gridkeeper_sandbox.faults import Fault, Scenario
from gridkeeper_sandbox.websocket import Client, Hub
from support.chain_client import ChainClient
from support.venue import order

SLOT_NS = 400_000_000


class Listener:
    """A client of the hub without its socket."""

    def __init__(self, chain: ChainClient) -> None:
        self._chain = chain
        self.hub = Hub(chain.sandbox)
        chain.sandbox.listeners.append(self.hub.publish)
        self.client = Client()
        self.hub.join(self.client)

    def subscribe(self, method: str, *params: Any) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self.hub.answer(self.client, msgspec.json.encode(body).decode())
        assert "result" in answer, answer

    def pass_slots(self, count: int) -> None:
        self._chain.sandbox.move_clock(self._chain.sandbox.now_ns + count * SLOT_NS)
        self.hub.turn()

    def heard(self) -> list[tuple[str, int]]:
        """Kinds and slots of what was said since the last time."""
        said = []
        while not self.client.queue.empty():
            text = self.client.queue.get_nowait()
            if text is None:
                said.append(("dropped", 0))
                continue
            message = msgspec.json.decode(text)
            result = message["params"]["result"]
            said.append((message["method"].removesuffix("Notification"), result.get("context", result)["slot"]))
        return said


def test_accounts_and_logs_are_told_when_they_are_as_final_as_asked_for(tmp_path: Path) -> None:
    chain = ChainClient(tmp_path / "chain", confirmed_slots=2)
    with closing(chain.sandbox):
        chain.open()
        listener = Listener(chain)
        listener.pass_slots(40)
        user = str(chain.trader.user)
        for level in ("processed", "confirmed"):
            listener.subscribe("accountSubscribe", user, {"encoding": "base64", "commitment": level})
            listener.subscribe("logsSubscribe", {"mentions": [user]}, {"commitment": level})
        slot = chain.sandbox.slot() + 1
        chain.send(chain.place(order("buy", "149")))
        assert listener.heard() == [("account", slot), ("logs", slot)]
        listener.pass_slots(2)
        assert listener.heard() == []
        listener.pass_slots(1)
        assert listener.heard() == [("account", slot), ("logs", slot)]


def test_a_transaction_of_a_fork_that_was_left_is_not_told_as_confirmed(tmp_path: Path) -> None:
    chain = ChainClient(tmp_path / "chain", confirmed_slots=2)
    with closing(chain.sandbox):
        chain.open()
        listener = Listener(chain)
        listener.pass_slots(40)
        listener.subscribe("logsSubscribe", {"mentions": [str(chain.trader.user)]}, {"commitment": "confirmed"})
        signature = chain.send(chain.place(order("buy", "149")))
        assert chain.sandbox.fork(signature, relands=False)
        listener.pass_slots(10)
        assert listener.heard() == []


def test_a_fault_ends_the_connection_in_place_of_a_notice(tmp_path: Path) -> None:
    chain = ChainClient(tmp_path / "chain")
    with closing(chain.sandbox):
        chain.open()
        listener = Listener(chain)
        listener.subscribe("slotSubscribe")
        chain.sandbox.set_faults(Scenario(fault=(Fault(kind="dropped-websocket", after=1),)))
        for _ in range(3):
            listener.pass_slots(1)
        assert [kind for kind, _ in listener.heard()] == ["slot", "dropped"]
