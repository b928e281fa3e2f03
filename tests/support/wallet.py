"""Spends SOL by a wallet's own key, past everything Gridkeeper knows: a transaction that only pays its fee."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

SIGNATURE_LAMPORTS = 5_000
UNITS = 1_000_000
"""So many that a price of one micro-lamport per unit makes one lamport."""


def ask_chain(url: str, method: str, *params: Any) -> Any:
    """The result of one request to an endpoint."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=10) as answer:
        document = json.load(answer)
    assert "result" in document, document
    return document["result"]


def leave_in_wallet(url: str, key_file: Path, lamports: int) -> str:
    """Pay everything but so much as a priority fee; the wallet's address."""
    payer = Keypair.from_bytes(bytes(json.loads(key_file.read_text())))
    at_once = {"commitment": "processed"}
    held = ask_chain(url, "getBalance", str(payer.pubkey()), at_once)["value"]
    blockhash = Hash.from_string(ask_chain(url, "getLatestBlockhash", at_once)["value"]["blockhash"])
    price = held - lamports - SIGNATURE_LAMPORTS
    parts = [set_compute_unit_limit(UNITS), set_compute_unit_price(price)]
    message = MessageV0.try_compile(payer.pubkey(), parts, [], blockhash)
    signed = base64.b64encode(bytes(VersionedTransaction(message, [payer]))).decode()
    ask_chain(url, "sendTransaction", signed, {"encoding": "base64"})
    return str(payer.pubkey())
