"""A wallet's SOL: what each transaction did to it, recorded once, booked, and proven against the chain's balance."""

from __future__ import annotations

import pytest

from gridkeeper_core.alerts.notice import notice_of
from gridkeeper_core.audit.rebuilt import rebuilt
from gridkeeper_core.events import Fact, SolChecked, SolCounted, SolMoved, SolPosted
from gridkeeper_core.inputs import EventSeen, WalletRead
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.sol_proof import SolFold, SolProof
from gridkeeper_core.machine import Draft
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.record import Recorded
from gridkeeper_core.venue.wallet import SYSTEM_PROGRAM, Balance, sol_moved
from support.account_history import recorded

ME, OTHER, FAUCET, DRIFT = "me", "other", "faucet", "drift"


def moved(
    before: int, after: int, *others: tuple[int, int], payer: str = ME, fee: int = 5_000, programs: str = DRIFT
) -> SolMoved:
    balances = [Balance(ME, before, after), *(Balance(f"{n}", *pair) for n, pair in enumerate(others))]
    return sol_moved(
        ME,
        balances,
        frozenset({programs}),
        fee_payer=payer,
        fee_lamports=fee,
        signatures=1,
        signature=f"{before}-{after}",
        slot=1,
        faucets=frozenset({FAUCET}),
    )


@pytest.mark.parametrize(
    ("move", "kind", "fee", "priority"),
    [
        (moved(100_000, 95_000), "fee", 5_000, 0),
        (moved(100_000, 88_000, fee=12_000), "fee", 5_000, 7_000),
        (moved(100_000, 65_000, (0, 30_000)), "rent_paid", 5_000, 0),
        (moved(100_000, 55_000, (0, 30_000), (0, 10_000)), "rent_paid", 5_000, 0),
        (moved(100_000, 125_000, (30_000, 0)), "rent_returned", 5_000, 0),
        (moved(100_000, 65_000, (7, 30_007), programs=SYSTEM_PROGRAM), "transfer_out", 5_000, 0),
        (moved(100_000, 65_000, (0, 30_000), programs=SYSTEM_PROGRAM), "transfer_out", 5_000, 0),
        (moved(0, 30_000, (90_000, 55_000), payer=OTHER, programs=SYSTEM_PROGRAM), "transfer_in", 0, 0),
        (moved(0, 30_000, payer=FAUCET, programs=SYSTEM_PROGRAM), "airdrop", 0, 0),
        (moved(100_000, 65_000, (5, 30_005)), "program", 5_000, 0),
        (moved(100_000, 125_000, (5, 4)), "program", 5_000, 0),
    ],
)
def test_what_moved_the_sol_beside_the_fee_is_told_by_payer_programs_and_the_other_balances(
    move: SolMoved, kind: str, fee: int, priority: int
) -> None:
    assert (move.kind, move.fee_lamports, move.priority_lamports) == (kind, fee, priority)


def reading(lamports: int, slot: int, *moves: SolMoved, cursor: str = "") -> WalletRead:
    last = moves[-1].signature if moves else cursor
    return WalletRead(
        now_ns=slot * 10**9, signer=ME, accounts=("a", "b"), lamports=lamports, slot=slot, cursor=last, moves=moves
    )


def facts_of(drafts: list[Draft]) -> list[Fact]:
    return [draft.fact for draft in drafts]


CREATED = moved(100_000, 65_000, (0, 30_000))
PLACED = moved(65_000, 60_000)


def test_the_first_reading_is_the_balance_alone_and_the_next_ones_tell_every_transaction() -> None:
    machine = ExecutionMachine(lambda _: None)
    first = facts_of(machine.accept(reading(100_000, 1)))
    second = facts_of(machine.accept(reading(60_000, 9, CREATED, PLACED)))
    assert first == [SolCounted(lamports=100_000, slot=1, cursor="", accounts=("a", "b"))]
    assert [type(fact) for fact in second] == [SolMoved, SolMoved, SolCounted]
    assert machine.accept(reading(60_000, 20, cursor=PLACED.signature)) == []


def test_a_restart_knows_where_the_next_reading_of_a_wallet_begins() -> None:
    machine, again = ExecutionMachine(lambda _: None), ExecutionMachine(lambda _: None)
    drafts = machine.accept(reading(100_000, 1)) + machine.accept(reading(60_000, 9, CREATED, PLACED))
    for event in recorded(facts_of(drafts), f"wallet:{ME}"):
        again.restore(event)
    assert again.wallet(ME) == machine.wallet(ME)
    assert again.digests() == machine.digests()
    assert machine.wallet(ME).cursor == PLACED.signature


def test_a_reading_is_made_again_from_its_events_alone() -> None:
    machine = ExecutionMachine(lambda _: None)
    machine.accept(reading(100_000, 1))
    item = reading(60_000, 9, CREATED, PLACED)
    group = [_stored(draft, number) for number, draft in enumerate(machine.accept(item), start=2)]
    assert rebuilt(group, None, None) == item


def _stored(draft: Draft, version: int) -> Recorded:
    return Recorded(
        stream=draft.stream,
        version=version,
        ts_ns=draft.ts_ns,
        cause=draft.cause,
        thread=draft.thread,
        prev="",
        fact=draft.fact,
    )


class Wallet:
    """Execution's events of one wallet, and the ledger that books them."""

    def __init__(self) -> None:
        self._execution = ExecutionMachine(lambda _: None)
        self.ledger = LedgerMachine()
        self.events: list[Recorded] = []
        self.booked: list[Recorded] = []

    def read(self, item: WalletRead) -> list[Fact]:
        """What the ledger books of one reading."""
        facts: list[Fact] = []
        for draft in self._execution.accept(item):
            event = _stored(draft, len(self.events) + 1)
            self.events.append(event)
            drafts = self.ledger.accept(EventSeen(now_ns=event.ts_ns, event=event))
            self.booked += [_stored(one, len(self.booked) + 1) for one in drafts]
            facts += facts_of(drafts)
        return facts

    def proof(self, from_s: int | None = None, to_s: int | None = None, alias: str = "a") -> SolProof | None:
        """The proof between two times."""
        fold = SolFold(alias, None if from_s is None else from_s * 10**9, None if to_s is None else to_s * 10**9)
        for event in self.events:
            fold.take(event)
        return fold.proof()


def test_rent_fees_and_gifts_leave_no_residual_and_each_is_told_with_its_transaction() -> None:
    wallet = Wallet()
    gift = moved(60_000, 90_000, payer=FAUCET, programs=SYSTEM_PROGRAM)
    wallet.read(reading(100_000, 1))
    wallet.read(reading(60_000, 9, CREATED, PLACED))
    wallet.read(reading(90_000, 20, gift))
    proof = wallet.proof()
    assert proof is not None
    assert (proof.wallet, proof.accounts, proof.residual_lamports) == (ME, ("a", "b"), 0)
    told = {term.name: (term.lamports, [of.signature for of in term.events]) for term in proof.terms if term.events}
    assert told == {
        "fees": (-10_000, [CREATED.signature, PLACED.signature]),
        "rent": (-30_000, [CREATED.signature]),
        "airdrops": (30_000, [gift.signature]),
    }
    checked = wallet.ledger.state.wallet(ME).last_proof
    assert checked is not None
    assert (checked.left_lamports, checked.right_lamports) == (90_000, 90_000)


def test_two_accounts_with_one_signer_are_one_wallet() -> None:
    wallet = Wallet()
    wallet.read(reading(100_000, 1))
    wallet.read(reading(60_000, 9, CREATED, PLACED))
    assert wallet.proof(alias="a") == wallet.proof(alias="b")
    assert wallet.proof(alias="c") is None


def test_an_interval_runs_from_count_to_count() -> None:
    wallet = Wallet()
    wallet.read(reading(100_000, 10))
    wallet.read(reading(65_000, 20, CREATED))
    wallet.read(reading(60_000, 30, PLACED))
    late, early, nothing = wallet.proof(25), wallet.proof(None, 25), wallet.proof(5, 15)
    assert late is not None
    assert early is not None
    assert nothing is not None
    assert (late.first_lamports, late.last_lamports, late.residual_lamports) == (65_000, 60_000, 0)
    assert (early.first_lamports, early.last_lamports, early.residual_lamports) == (100_000, 65_000, 0)
    assert nothing.first_event == nothing.last_event


def test_sol_that_no_transaction_explains_is_a_residual_told_once_with_the_counts_around_it() -> None:
    wallet = Wallet()
    wallet.read(reading(100_000, 1))
    lost = wallet.read(reading(59_100, 9, CREATED, PLACED))
    same = wallet.read(reading(54_100, 20, moved(59_100, 54_100)))
    proof = wallet.proof()
    assert proof is not None
    assert proof.residual_lamports == -900
    assert [(left.lamports, left.after_slot, left.until_slot) for left in proof.unexplained] == [(-900, 1, 9)]
    checks = [fact for fact in lost + same if isinstance(fact, SolChecked)]
    assert [(fact.residual_lamports, fact.grown_lamports) for fact in checks] == [(-900, -900), (-900, 0)]
    spoken = [notice_of(event) for event in wallet.booked if isinstance(event.fact, SolChecked)]
    assert [notice is not None and notice.severity for notice in spoken] == ["critical", False]


def test_the_books_of_a_wallet_come_back_from_their_events() -> None:
    wallet, again = Wallet(), LedgerMachine()
    for item in (reading(100_000, 1), reading(60_000, 9, CREATED, PLACED)):
        wallet.read(item)
    for event in wallet.booked:
        again.restore(event)
    assert again.digests() == wallet.ledger.digests()
    assert again.state.wallet(ME).kinds == {"opening": 100_000, "rent_paid": -30_000, "fees": -10_000}


def test_a_transaction_that_is_told_twice_is_posted_once() -> None:
    wallet = Wallet()
    wallet.read(reading(100_000, 1))
    wallet.read(reading(60_000, 9, CREATED, PLACED))
    before = wallet.ledger.digests()
    event = next(event for event in reversed(wallet.events) if isinstance(event.fact, SolMoved))
    assert wallet.ledger.accept(EventSeen(now_ns=9, event=event)) == []
    assert wallet.ledger.digests() == before
    assert [type(e.fact) for e in wallet.booked] == [SolPosted, SolPosted, SolPosted, SolChecked]
