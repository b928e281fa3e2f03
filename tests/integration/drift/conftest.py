"""An endpoint that answers as told and a client of it; driftpy imported without the warnings of its dependencies."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator

import pytest
from solders.pubkey import Pubkey

from gridkeeper_drift.rpc import RpcClient
from support.scripted_rpc import ScriptedEndpoint, in_context, scripted_endpoint

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import driftpy.drift_client

assert driftpy.drift_client.DriftClient is not None


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    """Knows a blockhash of slot 50 that is valid to height 200."""
    async with scripted_endpoint() as scripted:
        blockhash = {"blockhash": str(Pubkey.from_bytes(bytes([9] * 32))), "lastValidBlockHeight": 200}
        scripted.answer_with("getLatestBlockhash", in_context(50, blockhash))
        yield scripted


@pytest.fixture
async def rpc(endpoint: ScriptedEndpoint) -> AsyncIterator[RpcClient]:
    """Reads at `confirmed`."""
    async with RpcClient(endpoint.url, commitment="confirmed") as client:
        yield client
