"""What only an account's owner may do: create it, pay in and out, name a delegate; each one transaction or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import e6_text
from gridkeeper_drift.codecs import addresses, instructions
from gridkeeper_drift.failure import refusal
from gridkeeper_drift.poller import Poll
from gridkeeper_drift.sender import Gone, Landed
from gridkeeper_drift.venue import DriftVenue

USER_RENT_LAMPORTS = 31_347_840
USER_STATS_RENT_LAMPORTS = 2_561_280
_FEES_LAMPORTS = 100_000
_UNITS = 300_000


class OwnerDesk:
    """One sub-account of an open venue, whose signer is its owner.

    Every method raises OWNER_KEY_NEEDED where it is not, the error of our catalogue where the venue refused,
    TRANSACTION_LOST where the transaction never landed, and RpcUnreachableError where the endpoint is away.
    """

    def __init__(self, venue: DriftVenue, alias: str) -> None:
        self._venue = venue
        self._alias = alias
        self._account = venue.accounts[alias]

    async def create(
        self, name: str, deposit_e6: int = 0, *, delegate: Pubkey | None = None, token_account: str = ""
    ) -> Landed:
        """Creates the sub-account (and the authority's UserStats with its first one), pays in, and names a delegate.

        Raises ACCOUNT_EXISTS, SUB_ACCOUNT_TAKEN, SOL_LOW, BALANCE_SHORT before anything is sent.
        """
        self._check_owner()
        found = await self._venue.poll()
        account = self._account
        await self._check_may_be_made(found)
        parts: list[Instruction] = []
        if self._alias not in found.user_stats:
            parts.append(instructions.initialize_user_stats(account.authority))
        parts.append(instructions.initialize_user(account.authority, account.sub_account_id, name))
        if delegate is not None and delegate != account.authority:
            parts.append(instructions.update_user_delegate(account.authority, account.sub_account_id, delegate))
        if deposit_e6:
            parts.append(await self._deposit(found, deposit_e6, token_account))
        return await self._send(parts, "create")

    async def deposit(self, amount_e6: int, *, token_account: str = "") -> Landed:
        """Pays the quote asset in from the owner's token account. Raises ACCOUNT_UNKNOWN, BALANCE_SHORT."""
        self._check_owner()
        found = await self._existing()
        return await self._send([await self._deposit(found, amount_e6, token_account)], "deposit")

    async def withdraw(self, amount_e6: int, *, token_account: str = "") -> Landed:
        """Pays the quote asset out, never more than was deposited. Raises ACCOUNT_UNKNOWN, BALANCE_SHORT."""
        self._check_owner()
        found = await self._existing()
        held_e6 = self._venue.account_of(found, self._alias).deposit_e6
        if held_e6 < amount_e6:
            detail = "The deposit is smaller; profit counts once it is settled."
            raise _too_little(amount_e6, held_e6, detail)
        markets, oracle = self._venue.named_accounts(self._alias)
        target = self._token_account(found, token_account)
        return await self._send(
            [instructions.withdraw(self._account.trader, amount_e6, target, markets, oracle)], "withdraw"
        )

    async def set_delegate(self, delegate: Pubkey) -> Landed:
        """Lets `delegate` trade for the sub-account, but not withdraw from it. Raises ACCOUNT_UNKNOWN."""
        self._check_owner()
        await self._existing()
        account = self._account
        part = instructions.update_user_delegate(account.authority, account.sub_account_id, delegate)
        return await self._send([part], "delegate")

    def _check_owner(self) -> None:
        if self._account.signer.public_key != self._account.authority:
            raise GridkeeperError(
                "OWNER_KEY_NEEDED",
                field="signer",
                value=self._account.signer.public_key,
                expected=f"the owner {self._account.authority}",
            )

    async def _check_may_be_made(self, found: Poll) -> None:
        account = self._account
        if self._alias in found.users:
            raise GridkeeperError("ACCOUNT_EXISTS", field="sub_account", value=account.sub_account_id)
        stats = found.user_stats.get(self._alias)
        following = stats["number_of_sub_accounts_created"] if stats is not None else 0
        if following != account.sub_account_id:
            raise GridkeeperError(
                "SUB_ACCOUNT_TAKEN", field="sub_account", value=account.sub_account_id, expected=str(following)
            )
        rent = USER_RENT_LAMPORTS + (0 if stats is not None else USER_STATS_RENT_LAMPORTS) + _FEES_LAMPORTS
        lamports = await self._venue.rpc.balance(str(account.authority))
        if lamports < rent:
            raise GridkeeperError(
                "SOL_LOW", field=str(account.authority), value=lamports, expected=f"at least {rent} lamports"
            )

    async def _existing(self) -> Poll:
        found = await self._venue.poll()
        if self._alias not in found.users:
            raise GridkeeperError(
                "ACCOUNT_UNKNOWN", field="account", value=self._alias, do=f"gridkeeper account create {self._alias}"
            )
        return found

    async def _deposit(self, found: Poll, amount_e6: int, token_account: str) -> Instruction:
        source = self._token_account(found, token_account)
        held_e6 = await self._venue.rpc.token_balance(str(source))
        if held_e6 < amount_e6:
            detail = f"The token account {source} holds less of the quote asset."
            raise _too_little(amount_e6, held_e6, detail)
        markets, oracle = self._venue.named_accounts(self._alias)
        return instructions.deposit(self._account.trader, amount_e6, source, markets, oracle)

    def _token_account(self, found: Poll, given: str) -> Pubkey:
        if given:
            return Pubkey.from_string(given)
        return addresses.token_account_address(self._account.authority, found.quote_market["mint"])

    async def _send(self, parts: Sequence[Instruction], what: str) -> Landed:
        sender = self._venue.sender
        await sender.prepare(anew=True)
        outcome = await sender.deliver(sender.sign(self._account.signer, parts, compute_units=_UNITS))
        if isinstance(outcome, Gone):
            raise GridkeeperError("TRANSACTION_LOST", field=what)
        if outcome.error is not None:
            raise refusal(outcome.error, what)
        return outcome


def _too_little(amount_e6: int, held_e6: int, detail: str) -> GridkeeperError:
    expected = f"at most {e6_text(max(0, held_e6))}"
    return GridkeeperError("BALANCE_SHORT", field="amount", value=e6_text(amount_e6), expected=expected, detail=detail)
