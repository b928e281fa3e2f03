"""Runs what lands and writes it on the chain: clients' transactions, and those of the keepers that follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.state import Account, FillBatch
from gridkeeper_drift.codecs.events import program_logs
from gridkeeper_sandbox import execution
from gridkeeper_sandbox.accounts_view import AccountsView
from gridkeeper_sandbox.balances import Balances
from gridkeeper_sandbox.chain import Chain, Landed
from gridkeeper_sandbox.event_lines import Happened, lines
from gridkeeper_sandbox.execution import Loaded, Ran
from gridkeeper_sandbox.faucet import FAUCET_LAMPORTS, faucet_transaction
from gridkeeper_sandbox.keeper_transactions import KEEPER_LAMPORTS, filler, keeper_transaction
from gridkeeper_sandbox.world import World


class Landing:
    """Changes the world and the chain together."""

    def __init__(self, world: World, chain: Chain, view: AccountsView) -> None:
        self._world = world
        self._chain = chain
        self._view = view
        self._balances = Balances(world, view)

    def land(self, transaction: VersionedTransaction) -> list[Landed]:
        """A client's transaction, its fee paid, and what keepers do at once because of it."""
        loaded = execution.load(transaction, dict(self._view.tables))
        fee = execution.fee_lamports(transaction)
        before = self._balances.of(loaded.keys)
        self._world.add_lamports(loaded.fee_payer, -fee)
        slot = self._chain.landing_slot(self._now_ns)
        ran = execution.run(loaded, self._world)
        landed = self._record(loaded, ran, fee, slot, zip(before, self._balances.of(loaded.keys), strict=True))
        # What it placed may be a taker's, which keepers fill at once.
        accounts = dict(self._world.venue.accounts)
        return [landed, *self.land_batches(self._world.venue.run_keepers(), accounts)]

    def land_gift(self, wallet: Pubkey, lamports: int, quote_e6: int) -> list[Landed]:
        """What the faucet gives."""
        blockhash, _ = self._chain.blockhash(self._now_ns)
        transaction = faucet_transaction(wallet, lamports, quote_e6, blockhash)
        if transaction is None:
            return []
        loaded = execution.load(transaction, {})
        fee = execution.fee_lamports(transaction)
        before = self._balances.of(loaded.keys)
        self._world.fund(wallet, lamports, quote_e6)
        after = self._balances.of(loaded.keys)
        balances = list(zip(before, after, strict=True))
        balances[0] = (FAUCET_LAMPORTS, FAUCET_LAMPORTS - lamports - fee)
        slot = self._chain.landing_slot(self._now_ns)
        return [self._record(loaded, Ran(None, (), 0), fee, slot, balances)]

    def land_batches(self, batches: Sequence[FillBatch], before: dict[str, Account]) -> list[Landed]:
        """What keepers have done, a transaction for each batch; `before` are the accounts before all of it."""
        slot = self._chain.landing_slot(self._now_ns)
        return [self._land_batch(batch, before[batch.account], slot) for batch in batches]

    @property
    def _now_ns(self) -> int:
        return self._world.venue.now_ns

    def _land_batch(self, batch: FillBatch, before: Account, slot: int) -> Landed:
        user = Pubkey.from_string(batch.account)
        authority = self._world.users[user].authority
        happened = Happened(self._world.venue, user, authority, before, filler())
        blockhash, _ = self._chain.blockhash(self._now_ns)
        transaction = keeper_transaction(user, authority, batch.records, blockhash)
        logs = program_logs(lines(happened, batch.records))
        ran = Ran(None, execution.truncated(logs), 0)
        loaded, fee = execution.load(transaction, {}), execution.LAMPORTS_PER_SIGNATURE
        held = self._balances.of(loaded.keys)
        balances = list(zip(held, held, strict=True))
        balances[0] = (KEEPER_LAMPORTS, KEEPER_LAMPORTS - fee)
        return self._record(loaded, ran, fee, slot, balances)

    def _record(
        self, loaded: Loaded, ran: Ran, fee_lamports: int, slot: int, balances: Iterable[tuple[int, int]]
    ) -> Landed:
        landed = Landed(
            signature=loaded.signature,
            slot=slot,
            block_time_s=self._now_ns // NS_PER_S,
            data=bytes(loaded.transaction),
            keys=tuple(str(key) for key in loaded.keys),
            loaded_writable=loaded.loaded_writable,
            loaded_readonly=loaded.loaded_readonly,
            error=ran.error,
            logs=ran.logs,
            fee_lamports=fee_lamports,
            units=ran.units,
            balances=tuple(balances),
        )
        self._chain.land(landed)
        return landed
