"""Orders that were really sent, put into instructions by the adapter's codec and read by the sandbox's program."""

from __future__ import annotations

import msgspec
from solders.keypair import Keypair

from gridkeeper_core.venue.records import PlaceOrder
from gridkeeper_drift.codecs import instructions
from gridkeeper_drift.codecs.addresses import PROGRAM_ID
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.codecs.parsing import parse_instruction
from gridkeeper_sandbox.program import place_order
from support.chain_client import QUOTE_ORACLE
from support.drift_data import recorded_orders

SIDES = {"Long": "buy", "Short": "sell"}


def test_every_recorded_order_reaches_the_program_as_it_was_sent() -> None:
    rows = recorded_orders()
    assert len(rows) == 500
    trader = Trader(Keypair.from_seed(bytes(32)).pubkey(), 0, Keypair.from_seed(bytes(32)).pubkey())
    for number, row in enumerate(rows):
        wanted = PlaceOrder(
            user_order_id=number % 256,
            market_index=int(row["market_index"]),
            side=SIDES[row["direction"]],  # type: ignore[arg-type]
            price_e6=int(row["price_1e6"]),
            size_e9=int(row["base_amount_1e9"]),
            post_only="must" if row["instruction"] == "place_perp_order" else "none",
            immediate_or_cancel=row["instruction"] == "place_and_take_perp_order",
            max_ts=1_767_000_000 + number,
        )
        markets = [MarketAccounts(wanted.market_index, QUOTE_ORACLE)]
        if wanted.immediate_or_cancel:
            sent = instructions.place_and_take(trader, wanted, markets, QUOTE_ORACLE)
        else:
            sent = instructions.place_orders(trader, [wanted], markets, QUOTE_ORACLE)
        parsed = parse_instruction(PROGRAM_ID, bytes(sent.data), [meta.pubkey for meta in sent.accounts])
        assert parsed is not None
        params = parsed.arguments["params"]
        taken = place_order(params if wanted.immediate_or_cancel else params[0])
        assert msgspec.structs.replace(taken, trigger_above=False) == wanted  # an order without a trigger has no side
