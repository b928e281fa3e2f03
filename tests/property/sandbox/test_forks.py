"""Whatever was done on a fork that is left: the world is what it was before, and the chain goes on as if afresh."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_sandbox.world import Mark
from support.chain_client import ChainClient
from support.venue import order

PLACE = st.tuples(st.just("place"), st.sampled_from(["buy", "sell"]), st.integers(min_value=140, max_value=160))
PRICE = st.tuples(st.just("price"), st.just(""), st.integers(min_value=140, max_value=160))
CANCEL = st.tuples(st.just("cancel"), st.just(""), st.integers(min_value=1, max_value=6))
STEPS = st.lists(st.one_of(PLACE, PRICE, CANCEL), max_size=8)


def do(chain: ChainClient, step: tuple[str, str, int]) -> str:
    """One step; the signature of what was sent, if anything was."""
    kind, side, number = step
    if kind == "price":
        chain.price(number, after_s=0.4)
        return ""
    part = (
        chain.place(order(side, str(number), post_only="try"))  # type: ignore[arg-type]
        if kind == "place"
        else chain.cancel(number)
    )
    return str(chain.submit(chain.sign(part), preflight=False)["result"])


def told(mark: Mark) -> tuple[object, ...]:
    """All that a fork gives back; prices stay, as they come from outside."""
    fills = {index: market.next_fill_record_id for index, market in mark.venue.markets.items()}
    return mark.venue.accounts, fills, mark.lamports, mark.tokens, mark.users, mark.created


@settings(max_examples=40)
@given(STEPS, STEPS)
def test_a_fork_gives_back_exactly_what_was_before_it(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    with TemporaryDirectory() as folder:
        chain = ChainClient(Path(folder) / "chain")
        with closing(chain.sandbox):
            chain.open()
            for step in before:
                do(chain, step)
            world, landed = told(chain.sandbox.world.mark()), list(chain.sandbox.chain.landed)
            slot = chain.sandbox.slot()
            first = do(chain, ("place", "buy", 120))
            for step in after:
                do(chain, step)
            assert chain.sandbox.fork(first, relands=False)
            assert told(chain.sandbox.world.mark()) == world
            assert chain.sandbox.chain.landed == landed
            assert chain.sandbox.slot() > slot
            state = chain.sandbox.world.mark()
            chain.restart()
            assert chain.sandbox.world.mark() == state
            assert [item.signature for item in chain.sandbox.chain.landed] == [item.signature for item in landed]
            do(chain, ("place", "buy", 121))
            assert 121_000_000 in [placed.price for placed in chain.user().orders if placed.is_open]
            chain.sandbox.close()
