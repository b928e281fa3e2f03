"""The venue reads and signs over a real socket; what it sends is what the program expects."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from driftpy.account_subscription_config import AccountSubscriptionConfig
from driftpy.drift_client import DriftClient
from driftpy.types import OracleInfo, OracleSource, TxParams
from solana.rpc.async_api import AsyncClient
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.venue.records import PlaceOrder, Roll
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.orders import order_params
from gridkeeper_drift.codecs.parsing import ParsedInstruction, parse_instruction
from gridkeeper_drift.codecs.user import decode_user, encode_user
from gridkeeper_drift.failure import RpcUnreachableError
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.venue import Account, DriftVenue
from support.drift_accounts import BTC_ORACLE, QUOTE_ORACLE, SOL_ORACLE, exchange, served
from support.scripted_rpc import RefusalError, ScriptedEndpoint, in_context, scripted_endpoint

OWNER, DELEGATE = (Signer(Keypair.from_seed(bytes([number] * 32))) for number in (1, 2))
BUY = PlaceOrder(user_order_id=3, market_index=0, side="buy", price_e6=149_000_000, size_e9=10**9, post_only="must")


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    async with scripted_endpoint() as scripted:
        served(scripted, exchange(OWNER.public_key, DELEGATE.public_key))
        blockhash = {"blockhash": str(Pubkey.from_bytes(bytes([9] * 32))), "lastValidBlockHeight": 200}
        scripted.answer_with("getLatestBlockhash", in_context(100, blockhash))
        yield scripted


@pytest.fixture
async def venue(endpoint: ScriptedEndpoint) -> AsyncIterator[DriftVenue]:
    rpc = RpcClient(endpoint.url, commitment="confirmed")
    async with DriftVenue(rpc, [Account("main", OWNER.public_key, 0, DELEGATE)], market_indexes=[0]) as drift:
        yield drift


def program_calls(bytes_base64: str) -> list[ParsedInstruction]:
    """The program's instructions in a transaction without lookup tables, its signatures checked."""
    transaction = VersionedTransaction.from_bytes(base64.b64decode(bytes_base64))
    assert all(transaction.verify_with_results())
    keys = transaction.message.account_keys
    parsed = [
        parse_instruction(keys[part.program_id_index], part.data, [keys[place] for place in part.accounts])
        for part in transaction.message.instructions
    ]
    return [call for call in parsed if call is not None]


async def test_an_account_is_read_with_deposit_orders_and_positions(venue: DriftVenue) -> None:
    account = (await venue.read_accounts())["main"]
    assert account.slot == 100
    assert account.deposit_e6 == 5_000_000_000
    assert [(order.order_id, order.user_order_id, order.price_e6) for order in account.orders] == [(7, 9, 150_000_000)]
    assert [(p.market, p.base_e9, p.oracle_e6) for p in account.positions] == [("BTC-PERP", 10**6, 60_000_000_000)]
    assert account.lamports == 2_000_000_000
    assert account.signer_may_trade


async def test_a_market_is_found_by_name_and_by_index(venue: DriftVenue) -> None:
    by_name = await venue.read_market("BTC-PERP", "main")
    assert by_name == await venue.read_market(1, "main")
    assert (by_name.symbol, by_name.index, by_name.status) == ("BTC-PERP", 1, "active")
    assert (by_name.tick_e6, by_name.step_e9, by_name.minimum_e9) == (100, 10**7, 10**7)
    assert (by_name.taker_fee_e5, by_name.maker_fee_e5) == (100, -20)
    with pytest.raises(GridkeeperError, match=r"MARKET_UNKNOWN.*BTC-PERP, SOL-PERP"):
        await venue.read_market("DOGE-PERP")


async def test_an_oracle_has_price_slot_and_confidence(venue: DriftVenue) -> None:
    assert await venue.oracle(0) == (150_000_000, 99, 10)


async def test_a_roll_cancels_and_places_in_one_transaction_of_the_delegate(venue: DriftVenue) -> None:
    await venue.prepare()
    signed = venue.sign(Roll(alias="main", purpose="roll", cancel_order_ids=(7,), places=(BUY,)))
    cancel, place = program_calls(signed.bytes_base64)
    assert (cancel.name, cancel.arguments) == ("cancel_orders_by_ids", {"order_ids": [7]})
    assert place.name == "place_orders"
    assert place.arguments["params"][0]["price"] == 149_000_000
    for call in (cancel, place):
        assert call.accounts["authority"] == DELEGATE.public_key
        assert call.accounts["user"] == addresses.user_address(OWNER.public_key, 0)
        # The position in another market is named too, or the program could not check the margin.
        assert set(call.remaining) == {
            SOL_ORACLE, BTC_ORACLE, QUOTE_ORACLE, addresses.spot_market_address(0), addresses.perp_market_address(0),
            addresses.perp_market_address(1),
        }  # fmt: skip


async def test_a_roll_of_cancels_only_has_one_instruction(venue: DriftVenue) -> None:
    await venue.prepare()
    signed = venue.sign(Roll(alias="main", purpose="stop", cancel_order_ids=(7, 8), places=()))
    assert [call.name for call in program_calls(signed.bytes_base64)] == ["cancel_orders_by_ids"]


async def test_an_order_in_a_market_nobody_polls_is_refused(venue: DriftVenue) -> None:
    await venue.prepare()
    stray = PlaceOrder(user_order_id=1, market_index=5, side="buy", price_e6=1, size_e9=1, post_only="must")
    with pytest.raises(GridkeeperError, match="MARKET_UNKNOWN"):
        venue.sign(Roll(alias="main", purpose="roll", cancel_order_ids=(), places=(stray,)))


async def test_an_account_is_read_when_it_holds_still_while_it_is_walked(
    endpoint: ScriptedEndpoint, venue: DriftVenue
) -> None:
    accounts = exchange(OWNER.public_key, DELEGATE.public_key)
    user = addresses.user_address(OWNER.public_key, 0)
    moved = decode_user(accounts[user])
    moved = moved._replace(tail=moved.tail._replace(next_order_id=99))
    walks = 0

    def walk(_: list[Any]) -> list[Any]:
        nonlocal walks
        walks += 1
        if walks == 1:
            served(endpoint, {**accounts, user: encode_user(moved)}, slot=101)
        return []

    endpoint.answers["getSignaturesForAddress"] = walk
    account, found = await venue.read_with_walk("main", "")
    assert (account.slot, account.next_order_id, walks) == (101, 99, 2)
    assert found.transactions == ()
    assert (await venue.poll()).changed == frozenset()


async def test_a_walk_that_failed_leaves_the_account_changed(endpoint: ScriptedEndpoint, venue: DriftVenue) -> None:
    def behind(_: list[Any]) -> Any:
        raise RefusalError(-32005, "Node is behind")

    endpoint.answers["getSignaturesForAddress"] = behind
    assert (await venue.poll()).changed == {"main"}
    with pytest.raises(RpcUnreachableError):
        await venue.walk("main", "")
    assert (await venue.poll()).changed == {"main"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_driftpy_itself_reads_our_accounts_and_sends_what_we_send(endpoint: ScriptedEndpoint) -> None:
    sent = accepting(endpoint)
    async with AsyncClient(endpoint.url) as connection:
        client = driftpy_client(connection)
        await client.subscribe()
        assert [order.order_id for order in client.get_user().get_open_orders()] == [7]
        assert client.get_user().get_perp_position(1).base_asset_amount == 10**6
        assert client.get_perp_market_account(0).amm.order_step_size == 10**7
        assert client.get_oracle_price_data_for_perp_market(0).price == 150_000_000
        await client.place_orders([order_params(BUY)])
    (theirs,) = program_calls(sent[0])
    rpc = RpcClient(endpoint.url, commitment="confirmed")
    async with DriftVenue(rpc, [Account("main", OWNER.public_key, 0, DELEGATE)], market_indexes=[0]) as venue:
        await venue.prepare()
        signed = venue.sign(Roll(alias="main", purpose="roll", cancel_order_ids=(), places=(BUY,)))
    (ours,) = program_calls(signed.bytes_base64)
    assert ours._replace(remaining=()) == theirs._replace(remaining=())
    assert set(ours.remaining) == set(theirs.remaining)


def accepting(endpoint: ScriptedEndpoint) -> list[str]:
    """Every transaction lands; those sent are in the list."""
    sent: list[str] = []

    def accept(params: list[Any]) -> str:
        sent.append(params[0])
        return str(VersionedTransaction.from_bytes(base64.b64decode(params[0])).signatures[0])

    endpoint.answers["sendTransaction"] = accept
    landed = {
        "slot": 101,
        "confirmations": None,
        "err": None,
        "confirmationStatus": "confirmed",
        "status": {"Ok": None},
    }
    endpoint.answer_with("getSignatureStatuses", in_context(101, [landed]))
    endpoint.answer_with("getBlockHeight", 100)
    return sent


def driftpy_client(connection: AsyncClient) -> DriftClient:
    oracles = {
        SOL_ORACLE: OracleSource.PythLazer(),
        BTC_ORACLE: OracleSource.PythLazer(),
        QUOTE_ORACLE: OracleSource.PythLazerStableCoin(),
    }
    return DriftClient(
        connection,
        DELEGATE.keypair,
        "mainnet",
        authority=OWNER.public_key,
        account_subscription=AccountSubscriptionConfig("cached"),
        perp_market_indexes=[0, 1],
        spot_market_indexes=[0],
        oracle_infos=[OracleInfo(oracle, source) for oracle, source in oracles.items()],
        tx_params=TxParams(600_000, 0),
        market_lookup_tables=[],
    )
