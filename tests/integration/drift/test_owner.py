"""What an account's owner does against a real sandbox: all of it in one transaction, or nothing and a clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from solders.keypair import Keypair

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import PositionState
from gridkeeper_drift.emergency import EmergencyDesk, closing_order
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.owner import OwnerDesk
from gridkeeper_drift.rpc import RpcClient
from gridkeeper_drift.venue import Account, DriftVenue
from support.in_memory import URL, InMemorySandbox
from support.simulated_time import run_simulated
from support.venue import SOL, USD, order, roll

T = TypeVar("T")
OWNER, DELEGATE = (Signer(Keypair.from_seed(bytes([number] * 32))) for number in (1, 2))


def on_a_chain(
    folder: Path,
    story: Callable[[InMemorySandbox], Awaitable[T]],
    *,
    lamports: int = 10**9,
    quote_e6: int = 1_000 * USD,
) -> T:
    """What the story gives, on a chain where the owner's wallet holds this much."""

    async def run() -> T:
        chain = InMemorySandbox(folder / "chain")
        try:
            chain.sandbox.fund(OWNER.public_key, lamports, quote_e6)
            chain.price(150)
            return await story(chain)
        finally:
            chain.close()

    return run_simulated(run())


def venue_on(chain: InMemorySandbox, signer: Signer = OWNER, sub_account: int = 0) -> DriftVenue:
    rpc = RpcClient(URL, commitment="confirmed", transport=chain.transport)
    return DriftVenue(rpc, [Account("main", OWNER.public_key, sub_account, signer)], market_indexes=[0])


def test_an_account_is_made_with_money_and_delegate_at_once(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox) -> None:
        async with venue_on(chain) as venue:
            await OwnerDesk(venue, "main").create("Main", 400 * USD, delegate=DELEGATE.public_key)
        async with venue_on(chain, DELEGATE) as venue:
            account = (await venue.read_accounts())["main"]
            assert (account.deposit_e6, account.signer_may_trade) == (400 * USD, True)

    on_a_chain(tmp_path, story)


@pytest.mark.parametrize(
    ("sub_account", "deposit_e6", "money", "code", "expected"),
    [
        (1, 0, {}, "SUB_ACCOUNT_TAKEN", "0"),
        (0, 1_001 * USD, {}, "BALANCE_SHORT", "at most 1000"),
        (0, 0, {"lamports": 30_000_000}, "SOL_LOW", "at least 34009120 lamports"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_sent(
    tmp_path: Path, sub_account: int, deposit_e6: int, money: dict[str, int], code: str, expected: str
) -> None:
    async def story(chain: InMemorySandbox) -> GridkeeperError:
        async with venue_on(chain, sub_account=sub_account) as venue:
            with pytest.raises(GridkeeperError) as refused:
                await OwnerDesk(venue, "main").create("Main", deposit_e6)
        assert "sendTransaction" not in [method for _, method in chain.transport.asked]
        assert not chain.sandbox.world.users
        return refused.value

    error = on_a_chain(tmp_path, story, **money)
    assert (error.code, error.expected) == (code, expected)


def test_an_account_that_exists_is_not_made_again_and_a_second_one_follows(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox) -> str:
        async with venue_on(chain) as venue:
            await OwnerDesk(venue, "main").create("Main")
            with pytest.raises(GridkeeperError) as refused:
                await OwnerDesk(venue, "main").create("Main")
        async with venue_on(chain, sub_account=1) as venue:
            await OwnerDesk(venue, "main").create("Second")
        assert len(chain.sandbox.world.users) == 2
        return refused.value.code

    assert on_a_chain(tmp_path, story) == "ACCOUNT_EXISTS"


def test_money_goes_in_and_out_and_never_more_than_there_is(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox) -> tuple[int, int, str]:
        async with venue_on(chain) as venue:
            desk = OwnerDesk(venue, "main")
            await desk.create("Main", 100 * USD)
            await desk.deposit(50 * USD)
            paid_in = (await venue.read_accounts())["main"].deposit_e6
            await desk.withdraw(120 * USD)
            paid_out = (await venue.read_accounts())["main"].deposit_e6
            with pytest.raises(GridkeeperError) as refused:
                await desk.withdraw(31 * USD)
            return paid_in, paid_out, refused.value.code

    assert on_a_chain(tmp_path, story) == (150 * USD, 30 * USD, "BALANCE_SHORT")


def test_a_delegate_cannot_act_as_the_owner(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox) -> str:
        async with venue_on(chain) as venue:
            await OwnerDesk(venue, "main").create("Main", 100 * USD, delegate=DELEGATE.public_key)
        async with venue_on(chain, DELEGATE) as venue:
            with pytest.raises(GridkeeperError) as refused:
                await OwnerDesk(venue, "main").withdraw(USD)
            return refused.value.code

    assert on_a_chain(tmp_path, story) == "OWNER_KEY_NEEDED"


def test_an_emergency_cancels_every_order_and_closes_the_position(tmp_path: Path) -> None:
    async def story(chain: InMemorySandbox) -> tuple[int, int, int, int]:
        async with venue_on(chain) as venue:
            await OwnerDesk(venue, "main").create("Main", 1_000 * USD)
            await venue.prepare()
            signed = venue.sign(roll(order("buy", "149"), order("sell", "152"), order("buy", "120")))
            await venue.sender.deliver(signed)
            chain.price(148)
            await asyncio.sleep(2)  # until the fill is confirmed
            before = (await venue.read_accounts())["main"]
            done = await EmergencyDesk(venue, "main").flatten(100)
            after = done.account
            held = sum(abs(position.base_e9) for position in after.positions)
            return before.positions[0].base_e9, len(before.orders), held, len(after.orders)

    assert on_a_chain(tmp_path, story) == (SOL // 10, 2, 0, 0)


@pytest.mark.parametrize(("base_e9", "side", "price_e6"), [(SOL, "sell", 148_500_100), (-SOL, "buy", 151_500_000)])
def test_a_closing_order_is_never_worse_than_allowed_by_a_tick(base_e9: int, side: str, price_e6: int) -> None:
    position = PositionState(
        market="SOL-PERP",
        market_index=0,
        base_e9=base_e9,
        quote_asset_e6=0,
        quote_entry_e6=0,
        quote_break_even_e6=0,
        oracle_e6=150_000_050,
    )
    closing = closing_order(position, 100, 100)
    assert (closing.side, closing.price_e6, closing.reduce_only, closing.size_e9) == (side, price_e6, True, SOL)
