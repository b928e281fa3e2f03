"""A client of a sandbox in the same process: signs with the codecs of the adapter and speaks JSON-RPC to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.prices.price import Price
from gridkeeper_core.venue.records import PlaceOrder
from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.codecs.addresses import token_account_address, user_address
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.codecs.user import User, decode_user
from gridkeeper_sandbox.accounts_view import market_oracle
from gridkeeper_sandbox.config import SandboxSettings
from gridkeeper_sandbox.rpc import Rpc
from gridkeeper_sandbox.sandbox import Sandbox
from gridkeeper_sandbox.world import QUOTE_MINT, well_known

START_NS = 1_700_000_000 * 10**9
QUOTE_ORACLE = well_known("oracle USDC")


class ChainClient:
    """One authority with a funded wallet on a sandbox whose time a test moves."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = SandboxSettings(state_dir=folder, sync=False, **({"tape": True} | settings))
        self.sandbox = Sandbox(self.settings, lambda: START_NS)
        self.rpc = Rpc(self.sandbox)
        self.keypair = Keypair.from_seed(bytes(range(32)))
        self.trader = Trader(self.keypair.pubkey(), 0, self.keypair.pubkey())
        self._seq = 0

    def open(self, deposit_e6: int = 1_000 * 10**6, price: float = 150) -> None:
        """Funds the wallet, creates the sub-account, deposits, and gives the market its first price."""
        self.sandbox.fund(self.keypair.pubkey(), 10**10, 10_000 * 10**6)
        self.price(price)
        self.send(*account_parts(self.keypair.pubkey(), deposit_e6))

    def restart(self) -> None:
        """A new process on the same folder."""
        self.sandbox.close()
        self.sandbox = Sandbox(self.settings, lambda: START_NS)
        self.rpc = Rpc(self.sandbox)

    def ask(self, method: str, *params: Any) -> Any:
        """The whole answer."""
        return json.loads(self.rpc.answer(json.dumps({"id": 1, "method": method, "params": params}).encode()))

    def result(self, method: str, *params: Any) -> Any:
        """The result of a request that must not fail."""
        answer = self.ask(method, *params)
        assert "result" in answer, answer
        return answer["result"]

    def sign(self, *parts: Instruction, signer: Keypair | None = None, blockhash: str = "") -> VersionedTransaction:
        """A transaction of these instructions."""
        recent = blockhash or self.result("getLatestBlockhash")["value"]["blockhash"]
        return sign(signer or self.keypair, parts, Hash.from_string(recent))

    def submit(self, transaction: VersionedTransaction, *, preflight: bool = True) -> Any:
        """The whole answer of sendTransaction."""
        text = base64.b64encode(bytes(transaction)).decode()
        return self.ask("sendTransaction", text, {"encoding": "base64", "skipPreflight": not preflight})

    def send(self, *parts: Instruction) -> str:
        """Signs and sends what must land; its signature."""
        answer = self.submit(self.sign(*parts))
        assert "result" in answer, answer
        return str(answer["result"])

    def place(self, *orders: PlaceOrder) -> Instruction:
        """The instruction that places them."""
        return instructions.place_orders(self.trader, orders, self.markets(), QUOTE_ORACLE)

    def cancel(self, *order_ids: int) -> Instruction:
        """The instruction that cancels them."""
        return instructions.cancel_orders_by_ids(self.trader, order_ids, self.markets(), QUOTE_ORACLE)

    def price(self, usd: float, *, after_s: float = 1) -> Any:
        """One row of SOL-PERP."""
        self._seq += 1
        now_ns = max(START_NS, self.sandbox.now_ns) + int(after_s * 10**9)
        row = Price(market="SOL-PERP", source="test", source_seq=self._seq, ts_ns=now_ns, oracle_e6=round(usd * 10**6))
        return self.sandbox.take_rows("SOL-PERP", now_ns, (row,))

    def user(self) -> User:
        """The User account as the endpoint serves it."""
        options = {"encoding": "base64", "commitment": "processed"}
        value = self.result("getAccountInfo", str(self.trader.user), options)["value"]
        return decode_user(base64.b64decode(value["data"][0]))

    def open_order_ids(self) -> list[int]:
        """Ids of the open orders in the account."""
        return [order.order_id for order in self.user().orders if order.is_open]

    def status(self, signature: str) -> Any:
        """One entry of getSignatureStatuses."""
        return self.result("getSignatureStatuses", [signature])["value"][0]

    def markets(self) -> list[MarketAccounts]:
        """What an instruction on SOL-PERP names beside its own accounts."""
        return [MarketAccounts(0, market_oracle(self.sandbox.world.venue.markets[0].spec))]


def account_parts(wallet: Pubkey, deposit_e6: int) -> tuple[Instruction, ...]:
    """What makes a wallet's first sub-account and pays into it from the wallet's own token account."""
    source = token_account_address(wallet, QUOTE_MINT)
    return (
        instructions.initialize_user_stats(wallet),
        instructions.initialize_user(wallet, 0, "main"),
        instructions.deposit(Trader(wallet, 0, wallet), deposit_e6, source, (), QUOTE_ORACLE),
    )


def sign(keypair: Keypair, parts: Sequence[Instruction], blockhash: Hash) -> VersionedTransaction:
    """A transaction of these instructions, with room enough to run."""
    budget = [set_compute_unit_limit(1_000_000)]
    message = MessageV0.try_compile(keypair.pubkey(), [*budget, *parts], [], blockhash)
    return VersionedTransaction(message, [keypair])


def user_of(keypair: Keypair) -> str:
    """The first sub-account of an authority."""
    return str(user_address(keypair.pubkey(), 0))
