"""The Drift program: executes its instructions on the world and says what it logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from solders.pubkey import Pubkey

from gridkeeper_core.events import OrderType, PostOnly, Side
from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.modifying import ModifyOrder
from gridkeeper_core.venue.records import PlaceOrder, VenueRecord
from gridkeeper_core.venue.state import Order
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.idl import error_name, snake
from gridkeeper_drift.codecs.parsing import ParsedInstruction
from gridkeeper_sandbox.event_lines import Happened, lines, new_user_line
from gridkeeper_sandbox.world import SubAccount, World

USER_RENT_LAMPORTS = 31_347_840
USER_STATS_RENT_LAMPORTS = 2_561_280
_IMMEDIATE_OR_CANCEL = 1
_MUST_MODIFY, _EXCLUDE_PREVIOUS_FILL = 1, 2
_SIDES: dict[str, Side] = {"Long": "buy", "Short": "sell"}
_TYPES: dict[str, OrderType] = {
    "Limit": "limit",
    "Market": "market",
    "TriggerMarket": "trigger_market",
    "TriggerLimit": "trigger_limit",
}
_POST_ONLY: dict[str, PostOnly] = {
    "None": "none",
    "MustPostOnly": "must",
    "TryPostOnly": "try",
}
_ABOVE = ("Above", "TriggeredAbove")

# Anchor's own errors, and the token program's for too little money.
_UNKNOWN_INSTRUCTION = 101
_CONSTRAINT_RAW = 2003
_NOT_INITIALIZED = 3012
_INSUFFICIENT_TOKENS = 1
_IN_USE = 0
_INVALID_SUB_ACCOUNT_ID = 6214
_MAX_NUMBER_OF_USERS = 6224
_SPOT_MARKET_NOT_FOUND = 6087
_INVALID_ORDER_POST_ONLY = 6051


class ProgramError(Exception):
    """An instruction failed; `error` is the chain's JSON for it, `{"Custom": 6057}` or a word."""

    def __init__(self, error: Any, log: str = "") -> None:
        super().__init__(str(error))
        self.error = error
        self.log = log

    @staticmethod
    def custom(code: int, detail: str = "") -> ProgramError:
        """A numbered error, logged as Anchor does."""
        name = error_name(code)
        return ProgramError(
            {"Custom": code},
            f"Program log: AnchorError occurred. Error Code: {name}. Error Number: {code}. Error Message: {detail}.",
        )


class Program:
    """Executes one instruction after the other; the caller keeps or rewinds the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._handlers: Mapping[str, Callable[[ParsedInstruction], list[str]]] = {
            "initialize_user_stats": self._initialize_user_stats,
            "initialize_user": self._initialize_user,
            "update_user_delegate": self._update_user_delegate,
            "deposit": self._deposit,
            "withdraw": self._withdraw,
            "place_perp_order": self._place_perp_order,
            "place_orders": self._place_orders,
            "place_and_take_perp_order": self._place_and_take,
            "cancel_order": self._cancel_order,
            "cancel_order_by_user_id": self._cancel_by_user_id,
            "cancel_orders": self._cancel_orders,
            "cancel_orders_by_ids": self._cancel_by_ids,
            "modify_order": self._modify_order,
            "modify_order_by_user_id": self._modify_by_user_id,
            "settle_pnl": self._settle_pnl,
        }

    def execute(self, instruction: ParsedInstruction, signers: Iterable[Pubkey]) -> list[str]:
        """The lines it logged. Raises ProgramError; what it changed until then is the caller's to undo."""
        handler = self._handlers.get(instruction.name)
        if handler is None:
            raise ProgramError.custom(_UNKNOWN_INSTRUCTION, "The sandbox does not know this instruction")
        # settle_pnl may be called by anyone, the others act in the name of the one they call authority.
        if instruction.accounts["authority"] not in signers:
            raise ProgramError("MissingRequiredSignature")
        try:
            return handler(instruction)
        except VenueError as error:
            raise ProgramError.custom(int(error.code), error.detail) from error

    # ------------------------------------------------------------ accounts

    def _initialize_user_stats(self, instruction: ParsedInstruction) -> list[str]:
        authority = instruction.accounts["authority"]
        self._check(instruction.accounts["user_stats"] == addresses.user_stats_address(authority))
        if authority in self._world.created:
            raise ProgramError({"Custom": _IN_USE}, "Allocate: account already in use")
        self._pay_rent(instruction.accounts["payer"], USER_STATS_RENT_LAMPORTS)
        self._world.created[authority] = 0
        return []

    def _initialize_user(self, instruction: ParsedInstruction) -> list[str]:
        authority, number = instruction.accounts["authority"], instruction.arguments["sub_account_id"]
        user = addresses.user_address(authority, number)
        self._check(instruction.accounts["user"] == user)
        if authority not in self._world.created:
            raise ProgramError.custom(_NOT_INITIALIZED)
        if user in self._world.users:
            raise ProgramError({"Custom": _IN_USE}, "Allocate: account already in use")
        if number != self._world.created[authority]:
            raise ProgramError.custom(_INVALID_SUB_ACCOUNT_ID)
        if 0 < self._world.max_sub_accounts <= len(self._world.users):
            raise ProgramError.custom(_MAX_NUMBER_OF_USERS)
        self._pay_rent(instruction.accounts["payer"], USER_RENT_LAMPORTS)
        name = bytes(instruction.arguments["name"])
        self._world.users[user] = SubAccount(
            authority=authority, sub_account_id=number, name=name, delegate=Pubkey.default()
        )
        self._world.created[authority] = number + 1
        self._world.venue.open_account(str(user))
        return [new_user_line(user, authority, number, name, self._world.venue.now_ns)]

    def _update_user_delegate(self, instruction: ParsedInstruction) -> list[str]:
        user, held = self._sub_account(instruction)
        self._check(instruction.accounts["authority"] == held.authority)
        self._world.users[user] = msgspec.structs.replace(held, delegate=instruction.arguments["delegate"])
        return []

    def _deposit(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        amount_e6 = self._quote_amount(instruction)
        source = instruction.accounts["user_token_account"]
        held = self._world.tokens.get(source)
        if held is None:
            raise ProgramError.custom(_NOT_INITIALIZED)
        if held.amount_e6 < amount_e6 or held.owner != instruction.accounts["authority"]:
            raise ProgramError({"Custom": _INSUFFICIENT_TOKENS}, "Program log: Error: insufficient funds")
        self._world.add_tokens(source, held.owner, -amount_e6)
        return self._recorded(user, lambda name: self._world.venue.deposit(name, amount_e6))

    def _withdraw(self, instruction: ParsedInstruction) -> list[str]:
        user, held = self._sub_account(instruction)
        self._check(instruction.accounts["authority"] == held.authority)
        amount_e6 = self._quote_amount(instruction)
        if instruction.arguments["reduce_only"]:
            amount_e6 = min(amount_e6, max(0, self._world.venue.accounts[str(user)].deposit_e6))
        logged = self._recorded(user, lambda name: self._world.venue.withdraw(name, amount_e6))
        self._world.add_tokens(instruction.accounts["user_token_account"], held.authority, amount_e6)
        return logged

    # ------------------------------------------------------------ orders

    def _place_perp_order(self, instruction: ParsedInstruction) -> list[str]:
        return self._place(instruction, [instruction.arguments["params"]])

    def _place_orders(self, instruction: ParsedInstruction) -> list[str]:
        return self._place(instruction, instruction.arguments["params"])

    def _place(self, instruction: ParsedInstruction, params: Iterable[Mapping[str, Any]]) -> list[str]:
        user, _ = self._trading(instruction)
        orders = [place_order(item) for item in params]
        return self._recorded(user, lambda name: self._world.venue.place(name, orders))

    def _place_and_take(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        order = place_order(instruction.arguments["params"])
        return self._recorded(user, lambda name: self._world.venue.place_and_take(name, order))

    def _cancel_order(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        return self._cancel(user, (self._order_id(user, instruction),))

    def _cancel_by_user_id(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        user_order_id = instruction.arguments["user_order_id"]
        return self._recorded(user, lambda name: self._world.venue.cancel_by_user_order_id(name, user_order_id))

    def _cancel_by_ids(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        return self._cancel(user, instruction.arguments["order_ids"])

    def _cancel_orders(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        arguments = instruction.arguments

        def is_meant(order: Order) -> bool:
            # The market counts only where both its type and its index are given.
            market = (arguments["market_type"], arguments["market_index"])
            if None not in market and market != ("Perp", order.market_index):
                return False
            return arguments["direction"] is None or _SIDES[arguments["direction"]] == order.side

        held = self._world.venue.accounts[str(user)]
        return self._cancel(user, [order.order_id for order in held.open_orders if is_meant(order)])

    def _cancel(self, user: Pubkey, order_ids: Iterable[int]) -> list[str]:
        return self._recorded(user, lambda name: self._world.venue.cancel(name, order_ids))

    def _modify_order(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        params = instruction.arguments["modify_order_params"]
        return self._modify(user, _modify_order(params, order_id=self._order_id(user, instruction)))

    def _modify_by_user_id(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._trading(instruction)
        arguments = instruction.arguments
        return self._modify(
            user, _modify_order(arguments["modify_order_params"], user_order_id=arguments["user_order_id"])
        )

    def _modify(self, user: Pubkey, wanted: ModifyOrder) -> list[str]:
        return self._recorded(user, lambda name: self._world.venue.modify(name, wanted))

    def _settle_pnl(self, instruction: ParsedInstruction) -> list[str]:
        user, _ = self._sub_account(instruction)
        index = instruction.arguments["market_index"]
        return self._recorded(user, lambda name: self._world.venue.settle_pnl(name, index))

    # ------------------------------------------------------------ inside

    def _recorded(self, user: Pubkey, act: Callable[[str], tuple[VenueRecord, ...]]) -> list[str]:
        before = self._world.venue.accounts[str(user)]
        records = act(str(user))
        happened = Happened(self._world.venue, user, self._world.users[user].authority, before)
        return lines(happened, records)

    def _sub_account(self, instruction: ParsedInstruction) -> tuple[Pubkey, SubAccount]:
        user = instruction.accounts["user"]
        held = self._world.users.get(user)
        if held is None:
            raise ProgramError.custom(_NOT_INITIALIZED, "The program expected this account to be already initialized")
        return user, held

    def _trading(self, instruction: ParsedInstruction) -> tuple[Pubkey, SubAccount]:
        """The sub-account, whose owner or delegate must have signed."""
        user, held = self._sub_account(instruction)
        self._check(instruction.accounts["authority"] in (held.authority, held.delegate))
        return user, held

    def _order_id(self, user: Pubkey, instruction: ParsedInstruction) -> int:
        """The order it names; without an id it means the newest."""
        order_id: int | None = instruction.arguments["order_id"]
        return self._world.venue.accounts[str(user)].next_order_id - 1 if order_id is None else order_id

    def _quote_amount(self, instruction: ParsedInstruction) -> int:
        if instruction.arguments["market_index"] != addresses.QUOTE_SPOT_MARKET:
            raise ProgramError.custom(_SPOT_MARKET_NOT_FOUND)
        amount_e6: int = instruction.arguments["amount"]
        return amount_e6

    def _pay_rent(self, payer: Pubkey, lamports: int) -> None:
        if self._world.lamports.get(payer, 0) < lamports:
            raise ProgramError({"Custom": _INSUFFICIENT_TOKENS}, "Transfer: insufficient lamports")
        self._world.add_lamports(payer, -lamports)

    def _check(self, holds: bool) -> None:  # noqa: FBT001 - it is a condition, like an assertion's
        if not holds:
            raise ProgramError.custom(_CONSTRAINT_RAW, "A raw constraint was violated")


def place_order(params: Mapping[str, Any]) -> PlaceOrder:
    """The order an instruction asks for. Raises ProgramError for what the sandbox does not trade."""
    order_type = params["order_type"]
    post_only = _post_only(params["post_only"])
    if order_type not in _TYPES or params["market_type"] != "Perp" or params["oracle_price_offset"]:
        raise ProgramError.custom(_UNKNOWN_INSTRUCTION, "The sandbox knows neither spot nor oracle-pegged orders")
    return PlaceOrder(
        user_order_id=params["user_order_id"],
        market_index=params["market_index"],
        side=_SIDES[params["direction"]],
        price_e6=params["price"],
        size_e9=params["base_asset_amount"],
        post_only=post_only,
        reduce_only=params["reduce_only"],
        max_ts=params["max_ts"] or 0,
        order_type=_TYPES[order_type],
        trigger_e6=params["trigger_price"] or 0,
        trigger_above=params["trigger_condition"] in _ABOVE,
        immediate_or_cancel=bool(params["bit_flags"] & _IMMEDIATE_OR_CANCEL),
    )


def _modify_order(
    params: Mapping[str, Any], *, order_id: int | None = None, user_order_id: int | None = None
) -> ModifyOrder:
    """What it asks for; its bit flags mean nothing, the program clears the new order's."""
    if params["oracle_price_offset"]:
        raise ProgramError.custom(_UNKNOWN_INSTRUCTION, "The sandbox does not know oracle-pegged orders")
    direction, post_only, condition = params["direction"], params["post_only"], params["trigger_condition"]
    policy = params["policy"] or 0
    return ModifyOrder(
        order_id=order_id,
        user_order_id=user_order_id,
        side=None if direction is None else _SIDES[direction],
        price_e6=params["price"],
        size_e9=params["base_asset_amount"],
        post_only=None if post_only is None else _post_only(post_only),
        reduce_only=params["reduce_only"],
        max_ts=params["max_ts"],
        trigger_e6=params["trigger_price"],
        trigger_above=None if condition is None else condition in _ABOVE,
        must_modify=bool(policy & _MUST_MODIFY),
        exclude_previous_fill=bool(policy & _EXCLUDE_PREVIOUS_FILL),
    )


def _post_only(name: str) -> PostOnly:
    if name not in _POST_ONLY:
        raise ProgramError.custom(_INVALID_ORDER_POST_ONLY, f"The sandbox does not know {snake(name)}")
    return _POST_ONLY[name]
