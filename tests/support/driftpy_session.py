"""driftpy as anyone uses it, against an endpoint; says in JSON what it saw.

`driftpy_session.py URL MODE KEYPAIR_JSON [modify]` places and cancels orders, or modifies some. A process of its own,
because importing driftpy warns about other packages and tests take warnings for errors.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from driftpy.account_subscription_config import AccountSubscriptionConfig
from driftpy.accounts.bulk_account_loader import BulkAccountLoader
from driftpy.constants.numeric_constants import BASE_PRECISION, PRICE_PRECISION
from driftpy.drift_client import DriftClient
from driftpy.events.event_subscriber import EventSubscriber
from driftpy.events.types import EventSubscriptionOptions, WebsocketLogProviderConfig
from driftpy.types import (
    MarketType,
    ModifyOrderParams,
    OracleInfo,
    OracleSource,
    OrderParams,
    OrderType,
    PositionDirection,
    PostOnlyParams,
    TxParams,
)
from solana.rpc.async_api import AsyncClient
from solana.rpc.core import RPCException
from solders.keypair import Keypair

from gridkeeper_sandbox.world import well_known

DEADLINE_S = 20


def subscription(mode: str, connection: AsyncClient) -> AccountSubscriptionConfig:
    if mode == "polling":
        return AccountSubscriptionConfig("polling", bulk_account_loader=BulkAccountLoader(connection, frequency=0.2))
    return AccountSubscriptionConfig(mode)


def order(number: int) -> OrderParams:
    is_buy = number % 2 == 0
    return OrderParams(
        order_type=OrderType.Limit(),
        market_type=MarketType.Perp(),
        market_index=0,
        direction=PositionDirection.Long() if is_buy else PositionDirection.Short(),
        base_asset_amount=BASE_PRECISION // 10,
        price=(140 - number if is_buy else 160 + number) * PRICE_PRECISION,
        post_only=PostOnlyParams.MustPostOnly(),
        user_order_id=number + 1,
    )


async def until(what: Any, refresh: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not what():
            await refresh()
            await asyncio.sleep(0.1)


def client_on(connection: AsyncClient, mode: str, keypair: Keypair) -> DriftClient:
    return DriftClient(
        connection,
        keypair,
        env="mainnet",
        account_subscription=subscription(mode, connection),
        perp_market_indexes=[0],
        spot_market_indexes=[0],
        oracle_infos=[
            OracleInfo(well_known("oracle SOL-PERP"), OracleSource.PythLazer()),
            OracleInfo(well_known("oracle USDC"), OracleSource.PythLazerStableCoin()),
        ],
        tx_params=TxParams(600_000, 0),
    )


async def session(url: str, mode: str, keypair: Keypair) -> dict[str, Any]:
    connection = AsyncClient(url)
    client = client_on(connection, mode, keypair)
    await client.subscribe()
    user = client.get_user()

    async def refresh() -> None:
        if mode == "cached":
            await user.account_subscriber.fetch()
            await client.account_subscriber.fetch()

    options = EventSubscriptionOptions(address=user.user_public_key, log_provider_config=WebsocketLogProviderConfig())
    events = EventSubscriber(connection, client.program, options)
    events.subscribe()
    await until(lambda: user.get_user_account().authority == keypair.pubkey(), refresh)
    await asyncio.sleep(0.5)  # the log subscription says nothing when it stands

    await client.place_orders([order(number) for number in range(6)])
    await until(lambda: len(user.get_open_orders()) == 6, refresh)
    prices = sorted(placed.price for placed in user.get_open_orders())
    free_collateral = int(user.get_free_collateral())
    await until(lambda: len(events.get_events_array("OrderRecord")) == 6, refresh)
    await client.cancel_orders()
    await until(lambda: not user.get_open_orders(), refresh)
    await until(lambda: len(events.get_events_array("OrderActionRecord")) == 12, refresh)
    await connection.close()
    return {
        "prices": prices,
        "free_collateral": free_collateral,
        "oracle": client.get_oracle_price_data_for_perp_market(0).price,
        "order_records": [record.data.order.order_id for record in events.get_events_array("OrderRecord")],
    }


async def modify_session(url: str, mode: str, keypair: Keypair) -> dict[str, Any]:
    connection = AsyncClient(url)
    client = client_on(connection, mode, keypair)
    await client.subscribe()
    user = client.get_user()

    async def refresh() -> None:
        if mode == "cached":
            await user.account_subscriber.fetch()

    def open_orders() -> list[list[int]]:
        return [
            [placed.order_id, placed.user_order_id, placed.price, placed.base_asset_amount]
            for placed in user.get_open_orders()
        ]

    seen = []
    await client.place_orders([order(0), order(2)])
    await until(lambda: len(open_orders()) == 2, refresh)
    # driftpy's own type for the policy does not encode; the program's bits do.
    await client.modify_order(1, ModifyOrderParams(price=139 * PRICE_PRECISION, policy=1))
    await until(lambda: 1 not in [item[0] for item in open_orders()], refresh)
    seen.append(open_orders())
    await client.modify_order_by_user_id(3, ModifyOrderParams(base_asset_amount=BASE_PRECISION // 5))
    await until(lambda: 2 not in [item[0] for item in open_orders()], refresh)
    seen.append(open_orders())
    await client.modify_order(1, ModifyOrderParams(price=138 * PRICE_PRECISION, policy=0))
    try:
        await client.modify_order(1, ModifyOrderParams(price=138 * PRICE_PRECISION, policy=1))
        refusal = ""
    except RPCException as error:
        refusal = str(error)
    await refresh()
    seen.append(open_orders())
    await connection.close()
    return {"seen": seen, "refusal": refusal}


async def main() -> None:
    url, mode, keypair = sys.argv[1], sys.argv[2], Keypair.from_json(sys.argv[3])
    act = modify_session if sys.argv[4:] == ["modify"] else session
    result = await act(url, mode, keypair)
    sys.stdout.write("\n" + json.dumps(result) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
