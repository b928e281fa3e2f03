"""Solana's JSON-RPC methods on the sandbox, and the sandbox's own to fund wallets and move the market."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from solders.message import Message, MessageV0
from solders.transaction import VersionedTransaction

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from gridkeeper_drift.codecs.addresses import PROGRAM_ID
from gridkeeper_sandbox import answers, base58, execution
from gridkeeper_sandbox.accounts_view import rent_lamports
from gridkeeper_sandbox.administering import MarketChange
from gridkeeper_sandbox.chain import BLOCKHASH_LIFE_SLOTS, Commitment, block_time_s, genesis_hash
from gridkeeper_sandbox.execution import NotRunError, Ran
from gridkeeper_sandbox.faults import Scenario
from gridkeeper_sandbox.sandbox import Sandbox
from gridkeeper_sandbox.world import TokenAccount

_PARSE, _BAD_REQUEST, _NO_METHOD, _BAD_PARAMS = -32700, -32600, -32601, -32602
_PREFLIGHT_FAILED, _BAD_SIGNATURE, _SLOT_NOT_REACHED = -32002, -32003, -32016
_GET = "getTransaction"
_MAX_KEYS, _MAX_STATUSES, _MAX_SIGNATURES = 100, 256, 1000
_PACKET_BYTES = 1232
_SHORTEST_RECORD = 100
_WORDS = {
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "InsufficientFundsForFee": "Insufficient funds for fee",
}


class RpcError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message} | ({} if data is None else {"data": data})


class Rpc:
    """Answers requests one by one, or an array of them at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._methods: Mapping[str, Callable[[list[Any]], Any]] = {
            "getAccountInfo": self._account_info,
            "getMultipleAccounts": self._multiple_accounts,
            "getProgramAccounts": self._program_accounts,
            "getBalance": self._balance,
            "getTokenAccountBalance": self._token_balance,
            "getLatestBlockhash": self._latest_blockhash,
            "isBlockhashValid": self._is_blockhash_valid,
            "getBlockHeight": self._block_height,
            "getSlot": lambda p: self._slot(p),
            "getBlockTime": lambda p: block_time_s(int(p[0])),
            "getEpochInfo": self._epoch_info,
            "getSignatureStatuses": self._signature_statuses,
            "getSignaturesForAddress": self._signatures_for_address,
            "getTransaction": self._transaction,
            "sendTransaction": self._send_transaction,
            "simulateTransaction": self._simulate_transaction,
            "getFeeForMessage": self._fee_for_message,
            "getMinimumBalanceForRentExemption": lambda p: rent_lamports(int(p[0])),
            "getRecentPrioritizationFees": self._priority_fees,
            "getHealth": lambda _: "ok",
            "getVersion": lambda _: {"solana-core": "2.0.0-sandbox", "feature-set": 0},
            "getGenesisHash": lambda _: str(genesis_hash()),
            "requestAirdrop": self._airdrop,
            "sandbox_fund": self._fund,
            "sandbox_advance": self._advance,
            "sandbox_payFunding": self._pay_funding,
            "sandbox_setMarket": self._set_market,
            "sandbox_setExchange": lambda p: sandbox.set_exchange(int(p[0])),
            "sandbox_setFaults": self._set_faults,
            "sandbox_faults": lambda _: msgspec.to_builtins(sandbox.faults.told()),
            "sandbox_fork": self._fork,
            "sandbox_quiet": lambda _: msgspec.to_builtins(sandbox.quiet()),
        }

    def answer(self, body: bytes) -> bytes:
        """The answer to a body: one request or an array of them."""
        try:
            request = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return msgspec.json.encode(_failed(None, RpcError(_PARSE, "Parse error")))
        self._sandbox.tick()
        if isinstance(request, list):
            return msgspec.json.encode([self._answer_one(item) for item in request])
        return msgspec.json.encode(self._answer_one(request))

    def _answer_one(self, request: Any) -> Any:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failed(None, RpcError(_BAD_REQUEST, "Invalid request"))
        method = self._methods.get(request["method"])
        if method is None:
            return _failed(request.get("id"), RpcError(_NO_METHOD, "Method not found"))
        try:
            result = method(list(request.get("params") or []))
        except RpcError as error:
            return _failed(request.get("id"), error)
        except GridkeeperError as error:
            return _failed(request.get("id"), RpcError(_BAD_PARAMS, str(error), error.as_dict()))
        except (ValueError, TypeError, KeyError, IndexError, msgspec.ValidationError) as error:
            return _failed(request.get("id"), RpcError(_BAD_PARAMS, f"Invalid params: {error}"))
        return {"jsonrpc": "2.0", "id": request.get("id"), "result": result}

    # ------------------------------------------------------------ accounts

    def _account_info(self, params: list[Any]) -> Any:
        options = _options(params)
        commitment = self._reached(options)
        with self._sandbox.seen_at(commitment):
            held = self._sandbox.view.read(answers.pubkey(params[0]))
        return self._in_context(answers.account(held, options), commitment)

    def _multiple_accounts(self, params: list[Any]) -> Any:
        keys = params[0]
        if len(keys) > _MAX_KEYS:
            raise RpcError(_BAD_PARAMS, f"Too many inputs provided; max {_MAX_KEYS}")
        options = _options(params)
        commitment = self._reached(options)
        with self._sandbox.seen_at(commitment):
            held = [self._sandbox.view.read(answers.pubkey(key)) for key in keys]
        return self._in_context([answers.account(item, options) for item in held], commitment)

    def _program_accounts(self, params: list[Any]) -> Any:
        options = _options(params)
        commitment = self._reached(options)
        found = []
        if answers.pubkey(params[0]) == PROGRAM_ID:
            with self._sandbox.seen_at(commitment):
                for key in self._sandbox.view.program_accounts():
                    held = self._sandbox.view.read(key)
                    if held is not None and answers.matches(held, options.get("filters") or []):
                        found.append({"pubkey": str(key), "account": answers.account(held, options)})
        return self._in_context(found, commitment) if options.get("withContext") else found

    def _balance(self, params: list[Any]) -> Any:
        commitment = self._reached(_options(params))
        with self._sandbox.seen_at(commitment):
            held = self._sandbox.view.read(answers.pubkey(params[0]))
        return self._in_context(0 if held is None else held.lamports, commitment)

    def _token_balance(self, params: list[Any]) -> Any:
        commitment = self._reached(_options(params))
        with self._sandbox.seen_at(commitment):
            held: TokenAccount | None = self._sandbox.world.tokens.get(answers.pubkey(params[0]))
        if held is None:
            raise RpcError(_BAD_PARAMS, "Invalid param: could not find account")
        whole, part = divmod(held.amount_e6, 10**6)
        text = f"{whole}.{part:06}"
        amount = {"amount": str(held.amount_e6), "decimals": 6, "uiAmount": None, "uiAmountString": text}
        return self._in_context(amount, commitment)

    # ------------------------------------------------------------ the chain

    def _latest_blockhash(self, params: list[Any]) -> Any:
        commitment = self._reached(params[0] if params and isinstance(params[0], dict) else {})
        blockhash, last = self._sandbox.chain.blockhash(self._sandbox.now_ns, commitment)
        return self._in_context({"blockhash": str(blockhash), "lastValidBlockHeight": last}, commitment)

    def _is_blockhash_valid(self, params: list[Any]) -> Any:
        blockhash = type(genesis_hash()).from_string(params[0])
        return self._in_context(self._sandbox.chain.is_recent(blockhash, self._sandbox.now_ns))

    def _block_height(self, params: list[Any]) -> int:
        return self._sandbox.chain.block_height(self._sandbox.now_ns, commitment_of(params[0] if params else {}))

    def _slot(self, params: list[Any]) -> int:
        return self._sandbox.slot(commitment_of(params[0] if params else {}))

    def _epoch_info(self, params: list[Any]) -> Any:
        slot = self._slot(params)
        return {"absoluteSlot": slot, "blockHeight": slot, "epoch": 0, "slotIndex": slot, "slotsInEpoch": 2**40}

    def _signature_statuses(self, params: list[Any]) -> Any:
        if len(params[0]) > _MAX_STATUSES:
            raise RpcError(_BAD_PARAMS, f"Too many inputs provided; max {_MAX_STATUSES}")
        is_thorough = bool(_options(params).get("searchTransactionHistory", False))
        return self._in_context([self._status(signature, is_thorough) for signature in params[0]])

    def _status(self, signature: str, is_thorough: bool) -> Any:  # noqa: FBT001 - as the request says it
        chain, now_ns = self._sandbox.chain, self._sandbox.now_ns
        landed = chain.find(signature)
        if landed is not None and not is_thorough and landed.slot + BLOCKHASH_LIFE_SLOTS < self._sandbox.slot():
            landed = None  # without the ledger's history an endpoint knows what landed of late only
        commitment = "processed" if landed is None else chain.commitment_of(landed, now_ns)
        return answers.status(landed, commitment, self._sandbox.slot())

    def _signatures_for_address(self, params: list[Any]) -> Any:
        options = _options(params)
        chain, now_ns = self._sandbox.chain, self._sandbox.now_ns
        found = chain.naming(
            str(answers.pubkey(params[0])),
            now_ns,
            commitment=commitment_of(options),
            before=options.get("before") or "",
            until=options.get("until") or "",
            limit=min(_MAX_SIGNATURES, int(options.get("limit") or _MAX_SIGNATURES)),
        )
        return [answers.signature(landed, chain.commitment_of(landed, now_ns)) for landed in found]

    def _transaction(self, params: list[Any]) -> Any:
        raw = params[1] if len(params) > 1 else {}
        options = {"encoding": raw} if isinstance(raw, str) else raw
        landed = self._sandbox.chain.find(params[0])
        now_ns, faults = self._sandbox.now_ns, self._sandbox.faults
        if landed is None or landed.slot > self._sandbox.slot(commitment_of(options)):
            return None
        if faults.strike(("null-transaction",), (_GET,), now_ns):
            return None
        if faults.strike(("truncated-logs",), (_GET,), now_ns, key=landed.signature):
            landed = msgspec.structs.replace(landed, logs=_cut(landed.logs))
        return answers.transaction(landed, options.get("encoding") or "json")

    def _priority_fees(self, _params: list[Any]) -> Any:
        slot = self._sandbox.slot()
        fee = self._sandbox.settings.priority_fee
        return [{"slot": slot - back, "prioritizationFee": fee} for back in range(min(slot, 150))]

    # ------------------------------------------------------------ sending

    def _send_transaction(self, params: list[Any]) -> Any:
        options = _options(params)
        transaction = _transaction_of(params[0], options)
        if not all(transaction.verify_with_results()):
            raise RpcError(_BAD_SIGNATURE, "Transaction signature verification failure")
        preflight = not options.get("skipPreflight", False)
        try:
            ran, reason = self._sandbox.submit(transaction, preflight=preflight)
        except NotRunError as error:
            ran, reason = None, error
        # Without preflight an endpoint passes anything on, and what cannot land is never heard of again.
        if preflight and reason is not None:
            raise _simulation_failed(Ran(reason.error, (), 0), _WORDS.get(reason.error, reason.error))
        if ran is not None:
            raise _simulation_failed(ran, f"Error processing Instruction {ran.error['InstructionError'][0]}")
        return str(transaction.signatures[0])

    def _simulate_transaction(self, params: list[Any]) -> Any:
        options = _options(params)
        transaction = _transaction_of(params[0], options)
        if options.get("sigVerify") and not all(transaction.verify_with_results()):
            raise RpcError(_BAD_SIGNATURE, "Transaction signature verification failure")
        try:
            loaded = execution.load(transaction, dict(self._sandbox.view.tables))
            if not options.get("replaceRecentBlockhash"):
                execution.check(loaded, self._sandbox.chain, self._sandbox.world)
            ran = self._sandbox.try_out(loaded)
        except NotRunError as error:
            ran = Ran(error.error, (), 0)
        return self._in_context(_simulation(ran))

    def _fee_for_message(self, params: list[Any]) -> Any:
        raw = base64.b64decode(params[0])
        is_versioned = raw[0] & 0x80
        message = MessageV0.from_bytes(raw[1:]) if is_versioned else Message.from_bytes(raw)
        unsigned = VersionedTransaction.populate(message, [])
        priority = execution.fee_lamports(unsigned)
        signers = message.header.num_required_signatures
        return self._in_context(priority + execution.LAMPORTS_PER_SIGNATURE * signers)

    # ------------------------------------------------------------ the sandbox's own

    def _airdrop(self, params: list[Any]) -> Any:
        return self._sandbox.fund(answers.pubkey(params[0]), int(params[1]), 0)

    def _fund(self, params: list[Any]) -> Any:
        """`[wallet, {"lamports", "quote_e6"}]`: SOL and the quote asset in the wallet's associated token account."""
        wallet, amounts = answers.pubkey(params[0]), _options(params)
        self._sandbox.fund(wallet, int(amounts.get("lamports", 0)), int(amounts.get("quote_e6", 0)))
        return {"lamports": self._sandbox.world.lamports[wallet]}

    def _advance(self, params: list[Any]) -> Any:
        """`[{"now_ns", "rows": [price, …]}]`: moves the clock, then trades the rows, in order."""
        options = params[0]
        if "now_ns" in options:
            self._sandbox.move_clock(int(options["now_ns"]))
        records = 0
        for row in msgspec.convert(options.get("rows", []), list[Price]):
            records += self._sandbox.take_rows(row.market, row.ts_ns, (row,)).records
        quiet = msgspec.to_builtins(self._sandbox.quiet())
        return {"records": records, "slot": self._sandbox.slot(), "quiet": quiet}

    def _pay_funding(self, params: list[Any]) -> Any:
        """`[symbol, rate_e9]`: the change of the cumulative rate, quote per base."""
        self._sandbox.pay_funding(params[0], int(params[1]))

    def _set_market(self, params: list[Any]) -> Any:
        """`[symbol, {field: value, …}]`: what the venue's admin changes, or how the oracle fails."""
        self._sandbox.set_market(params[0], msgspec.convert(_options(params), MarketChange))

    def _set_faults(self, params: list[Any]) -> Any:
        """`[{"seed", "fault": […]}]`: the faults in force from now on; without any they end."""
        self._sandbox.set_faults(msgspec.convert(params[0] if params else {}, Scenario))
        return msgspec.to_builtins(self._sandbox.faults.told())

    def _fork(self, params: list[Any]) -> Any:
        """`[signature, {"relands"}]`: leaves the fork it is on; false where it is unknown or final."""
        return self._sandbox.fork(str(params[0]), relands=bool(_options(params).get("relands", False)))

    def _reached(self, options: dict[str, Any]) -> Commitment:
        """The commitment it asks for. Raises RpcError where the slot it asks for has not come so far."""
        commitment = commitment_of(options)
        slot = self._sandbox.slot(commitment)
        if int(options.get("minContextSlot") or 0) > slot:
            raise RpcError(_SLOT_NOT_REACHED, "Minimum context slot has not been reached", {"contextSlot": slot})
        return commitment

    def _in_context(self, value: Any, commitment: Commitment = "processed") -> Any:
        return {"context": {"slot": self._sandbox.slot(commitment), "apiVersion": "2.0.0"}, "value": value}


def _options(params: list[Any]) -> dict[str, Any]:
    options = params[1] if len(params) > 1 else None
    return options if isinstance(options, dict) else {}


def commitment_of(options: Any) -> Commitment:
    """The commitment a request asks for; finalized where it names none, as everywhere on Solana."""
    wanted = options.get("commitment") if isinstance(options, dict) else None
    match wanted:
        case "processed" | "recent":
            return "processed"
        case "confirmed" | "single" | "singleGossip":
            return "confirmed"
        case _:
            return "finalized"


def _transaction_of(text: str, options: dict[str, Any]) -> VersionedTransaction:
    try:
        data = base64.b64decode(text, validate=True) if options.get("encoding") == "base64" else base58.decode(text)
        if len(data) > _PACKET_BYTES:
            raise RpcError(_BAD_PARAMS, f"transaction too large: {len(data)} bytes (max: {_PACKET_BYTES} bytes)")
        transaction = VersionedTransaction.from_bytes(data)
        transaction.sanitize()
    except (ValueError, binascii.Error) as error:
        raise RpcError(_BAD_PARAMS, f"failed to deserialize the transaction: {error}") from error
    return transaction


def _simulation(ran: Ran) -> dict[str, Any]:
    return {
        "err": ran.error,
        "logs": list(ran.logs),
        "accounts": None,
        "unitsConsumed": ran.units,
        "returnData": None,
        "innerInstructions": None,
    }


def _simulation_failed(ran: Ran, words: str) -> RpcError:
    return RpcError(_PREFLIGHT_FAILED, f"Transaction simulation failed: {words}", _simulation(ran))


def _cut(logs: tuple[str, ...]) -> tuple[str, ...]:
    """The logs as a runtime leaves them that ran out of room at the first record."""
    kept = next((place for place, line in enumerate(logs) if len(line) > _SHORTEST_RECORD), len(logs))
    return (*logs[:kept], "Log truncated")


def _failed(request_id: Any, error: RpcError) -> Any:
    return {"jsonrpc": "2.0", "id": request_id, "error": error.body}
