"""Our reading of driftpy's IDL is anchorpy's, value for value."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import driftpy
import pytest
from anchorpy import Coder, Context, Idl, Program
from anchorpy.program.common import NamedInstruction
from driftpy.constants.config import DRIFT_PROGRAM_ID
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey
from spl.token.constants import ASSOCIATED_TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID

from gridkeeper_core.events import Side
from gridkeeper_core.venue.records import PlaceOrder
from gridkeeper_drift.codecs import addresses, idl, instructions, orders, parsing
from gridkeeper_drift.codecs.idl import CodecError
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from support.drift_data import recorded_accounts, recorded_events, recorded_orders

# anchorpy makes its enums with an argument that attrs is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The `repr_ns` argument:DeprecationWarning")

OWNER, SIGNER, ORACLE, QUOTE_ORACLE, TOKENS = (Pubkey.from_bytes(bytes([number] * 32)) for number in range(1, 6))
TRADER = Trader(OWNER, 2, SIGNER)
MARKETS = (MarketAccounts(3, ORACLE),)
PLACES = (
    PlaceOrder(user_order_id=1, market_index=3, side="buy", price_e6=150_000_000, size_e9=10**9, post_only="must"),
    PlaceOrder(user_order_id=2, market_index=3, side="sell", price_e6=0, size_e9=2**64 - 1, post_only="none",
               reduce_only=True, max_ts=1_900_000_000, order_type="trigger_market", trigger_e6=140_000_000,
               immediate_or_cancel=True),
)  # fmt: skip


@pytest.fixture(scope="module")
def program() -> Any:
    text = Path(driftpy.__file__).with_name("idl").joinpath("drift.json").read_text(encoding="utf-8")
    return Program(Idl.from_json(text), DRIFT_PROGRAM_ID, provider=SimpleNamespace(connection=None))


@pytest.fixture(scope="module")
def coder(program: Any) -> Coder:
    return program.coder


def plain(value: Any) -> Any:
    """anchorpy's objects as our plain data."""
    if isinstance(value, (bool, int, bytes, Pubkey, str)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        values = [plain(item) for item in value]
        return bytes(values) if values and all(isinstance(item, int) for item in values) else values
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return type(value).__name__


def same(ours: Any, theirs: Any) -> bool:
    """Equal but for how names are split into words (`sqrt_kbefore`, `volume24_h`)."""
    if isinstance(ours, dict):
        named = {name.replace("_", ""): value for name, value in theirs.items()}
        return len(named) == len(ours) and all(
            same(value, named[name.replace("_", "")]) for name, value in ours.items()
        )
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(same(one, other) for one, other in zip(ours, theirs, strict=True))
    return bool(ours == theirs)


def test_accounts_read_like_anchorpy_reads_them(coder: Coder) -> None:
    seen: set[tuple[str, str]] = set()
    for row in recorded_accounts():
        # anchorpy takes 5 ms for a User, so a few of each kind must do.
        if row["type"] == "PythV1Price" or sum(kind == row["type"] for kind, _ in seen) >= 3:
            continue
        seen.add((row["type"], row["data_base64"]))
        named = idl.accounts().decode(row["data"])
        assert named is not None
        assert same(named.value, plain(coder.accounts.decode(row["data"])))


def test_events_read_like_anchorpy_reads_them(coder: Coder) -> None:
    compared = 0
    for row in recorded_events():
        if row["layout_note"] == "all fields of the HEAD IDL present":
            named = idl.events().decode(row["data"])
            assert named is not None
            assert same(named.value, plain(coder.events.parse(row["data"]).data))
            compared += 1
    assert compared


def test_constants_are_driftpy_s() -> None:
    assert addresses.PROGRAM_ID == DRIFT_PROGRAM_ID
    assert addresses.TOKEN_PROGRAM_ID == TOKEN_PROGRAM_ID
    assert addresses.ASSOCIATED_TOKEN_PROGRAM_ID == ASSOCIATED_TOKEN_PROGRAM_ID


def test_placing_is_the_instruction_driftpy_builds(program: Any) -> None:
    built = program.instruction["place_orders"](
        [orders.order_params(place) for place in PLACES],
        ctx=Context(
            accounts={
                "state": addresses.state_address(),
                "user": addresses.user_address(OWNER, 2),
                "user_stats": addresses.user_stats_address(OWNER),
                "authority": SIGNER,
            },
            remaining_accounts=instructions.market_metas(MARKETS, QUOTE_ORACLE),
        ),
    )
    assert instructions.place_orders(TRADER, PLACES, MARKETS, QUOTE_ORACLE) == built


def test_cancelling_is_the_instruction_driftpy_builds(program: Any) -> None:
    context = Context(
        accounts={
            "state": addresses.state_address(),
            "user": addresses.user_address(OWNER, 2),
            "authority": SIGNER,
        },
        remaining_accounts=instructions.market_metas(MARKETS, QUOTE_ORACLE),
    )
    by_ids = program.instruction["cancel_orders_by_ids"]([4, 5], ctx=context)
    assert instructions.cancel_orders_by_ids(TRADER, [4, 5], MARKETS, QUOTE_ORACLE) == by_ids
    everything = program.instruction["cancel_orders"](None, None, None, ctx=context)
    assert instructions.cancel_orders(TRADER, MARKETS, QUOTE_ORACLE) == everything


def test_setting_up_is_what_driftpy_builds(program: Any) -> None:
    named = {
        "user": addresses.user_address(OWNER, 2),
        "user_stats": addresses.user_stats_address(OWNER),
        "state": addresses.state_address(),
        "authority": OWNER,
        "payer": OWNER,
        "rent": addresses.RENT_SYSVAR_ID,
        "system_program": addresses.SYSTEM_PROGRAM_ID,
    }
    stats = program.instruction["initialize_user_stats"](ctx=Context(accounts=named))
    assert instructions.initialize_user_stats(OWNER) == stats
    name = list(b"Main Account".ljust(32))
    created = program.instruction["initialize_user"](2, name, ctx=Context(accounts=named))
    assert instructions.initialize_user(OWNER, 2, "Main Account") == created
    delegated = program.instruction["update_user_delegate"](2, SIGNER, ctx=Context(accounts=named))
    assert instructions.update_user_delegate(OWNER, 2, SIGNER) == delegated


def test_moving_money_is_what_driftpy_builds(program: Any) -> None:
    named = {
        "state": addresses.state_address(),
        "spot_market_vault": addresses.spot_vault_address(0),
        "drift_signer": addresses.signer_address(),
        "user": addresses.user_address(OWNER, 2),
        "user_stats": addresses.user_stats_address(OWNER),
        "user_token_account": TOKENS,
        "authority": SIGNER,
        "token_program": TOKEN_PROGRAM_ID,
    }
    context = Context(
        accounts=named, remaining_accounts=instructions.market_metas((), QUOTE_ORACLE, quote_writable=True)
    )
    deposited = program.instruction["deposit"](0, 500, False, ctx=context)
    assert instructions.deposit(TRADER, 500, TOKENS, (), QUOTE_ORACLE) == deposited
    withdrawn = program.instruction["withdraw"](0, 500, True, ctx=context)
    assert instructions.withdraw(TRADER, 500, TOKENS, (), QUOTE_ORACLE) == withdrawn


def test_settling_writes_to_the_market_and_the_deposits() -> None:
    built = instructions.settle_pnl(TRADER, 3, MARKETS, QUOTE_ORACLE)
    assert built.accounts[4:] == [
        AccountMeta(ORACLE, is_signer=False, is_writable=False),
        AccountMeta(QUOTE_ORACLE, is_signer=False, is_writable=False),
        AccountMeta(addresses.spot_market_address(0), is_signer=False, is_writable=True),
        AccountMeta(addresses.perp_market_address(3), is_signer=False, is_writable=True),
    ]


def test_who_was_referred_names_the_referrer_when_it_takes() -> None:
    order = PlaceOrder(user_order_id=0, market_index=3, side="sell", price_e6=99_000_000, size_e9=10**9,
                       post_only="none", reduce_only=True, immediate_or_cancel=True)  # fmt: skip
    alone = instructions.place_and_take(TRADER, order, MARKETS, QUOTE_ORACLE)
    referred = instructions.place_and_take(TRADER, order, MARKETS, QUOTE_ORACLE, OWNER)
    assert referred.data == alone.data
    assert referred.accounts == [
        *alone.accounts,
        AccountMeta(addresses.user_address(OWNER, 0), is_signer=False, is_writable=True),
        AccountMeta(addresses.user_stats_address(OWNER), is_signer=False, is_writable=True),
    ]


def test_an_instruction_is_read_back_as_plain_data() -> None:
    built = instructions.place_orders(TRADER, PLACES, MARKETS, QUOTE_ORACLE)
    keys = [meta.pubkey for meta in built.accounts]
    parsed = parsing.parse_instruction(built.program_id, built.data, keys)
    assert parsed is not None
    assert parsed.name == "place_orders"
    assert parsed.accounts["authority"] == SIGNER
    assert parsed.remaining == tuple(keys[3:])
    first, second = parsed.arguments["params"]
    assert (first["direction"], first["price"], first["post_only"], first["max_ts"]) == (
        "Long", 150_000_000, "MustPostOnly", None,
    )  # fmt: skip
    assert (second["order_type"], second["trigger_price"], second["trigger_condition"], second["bit_flags"]) == (
        "TriggerMarket", 140_000_000, "Below", 1,
    )  # fmt: skip


def test_five_hundred_recorded_orders_are_read_back_by_us_and_by_anchorpy(coder: Coder) -> None:
    rows = recorded_orders()
    assert len(rows) == 500
    for row in rows:
        side: Side = "buy" if row["direction"] == "Long" else "sell"
        index, size_e9, price_e6 = (int(row[name]) for name in ("market_index", "base_amount_1e9", "price_1e6"))
        order = PlaceOrder(user_order_id=0, market_index=index, side=side, price_e6=price_e6, size_e9=size_e9,
                           post_only="none", immediate_or_cancel=True)  # fmt: skip
        built = instructions.place_and_take(TRADER, order, [MarketAccounts(index, ORACLE)], QUOTE_ORACLE)
        keys = [meta.pubkey for meta in built.accounts]
        read = parsing.parse_instruction(built.program_id, built.data, keys)
        assert read is not None
        assert read.name == row["instruction"]
        params = read.arguments["params"]
        told = (params["direction"], params["market_index"], params["base_asset_amount"], params["price"])
        assert told == (row["direction"], index, size_e9, price_e6)
        assert read.accounts["user"] == TRADER.user
        theirs = coder.instruction.parse(bytes(built.data)).data.params
        assert (theirs.market_index, theirs.base_asset_amount, theirs.price) == (index, size_e9, price_e6)
        assert type(theirs.direction).__name__ == row["direction"]


def test_instructions_of_others_are_left_alone_and_unknown_ones_refused() -> None:
    assert parsing.parse_instruction(OWNER, b"anything", []) is None
    with pytest.raises(CodecError, match="no instruction with this discriminator"):
        parsing.parse_instruction(addresses.PROGRAM_ID, bytes(8), [])


def test_any_instruction_of_the_idl_is_read_like_anchorpy_reads_it(coder: Coder) -> None:
    arguments = {"market_type": "Perp", "market_index": 7, "direction": "Short"}
    data = idl.instructions().encode("cancel_orders", arguments)
    theirs = coder.instruction.parse(data)
    assert isinstance(theirs, NamedInstruction)
    assert theirs.name == "cancel_orders"
    assert type(theirs.data.market_type).__name__ == "Perp"
    assert idl.instructions().decode(data) == ("cancel_orders", arguments)


def test_an_error_code_has_the_program_s_name() -> None:
    assert idl.error_name(6057) == "PlacePostOnlyLimitFailure"
    assert idl.error_name(9999) == "9999"


def test_cut_off_and_impossible_bytes_are_refused() -> None:
    data = idl.events().encode("OrderRecord", {"ts": 1, "user": OWNER, "order": blank_order()})
    with pytest.raises(CodecError):
        idl.events().decode(data[:-1])
    with pytest.raises(CodecError, match="has no variant"):
        idl.type_layout("OrderType").decode(b"\x09", 0)
    with pytest.raises(CodecError, match="does not fit"):
        idl.events().encode("OrderRecord", {"ts": 2**63, "user": OWNER, "order": blank_order()})


def blank_order() -> dict[str, Any]:
    value, _ = idl.type_layout("Order").decode(bytes(96), 0)
    assert isinstance(value, dict)
    return value
