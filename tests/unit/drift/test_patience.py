"""When the venue's breaker rests placing: after failures that say something of the next order."""

from __future__ import annotations

import asyncio

import pytest

from gridkeeper_core.venue.records import SeenTransaction
from gridkeeper_drift.failure import VenueRestingError
from gridkeeper_drift.patience import Patience


def failed(number: int, code: int) -> SeenTransaction:
    return SeenTransaction(
        signature=f"s{number}",
        slot=number,
        block_time_s=1,
        finalized=False,
        error_code=code,
        error=str(code),
        fee_lamports=5_000,
        ours=True,
        records=(),
    )


def may_place_after(code: int) -> bool:
    async def story() -> bool:
        patience = Patience()
        patience.take("main", [failed(number, code) for number in range(3)])
        try:
            patience.check("main")
        except VenueRestingError:
            return False
        return True

    return asyncio.run(story())


@pytest.mark.parametrize("code", [6057, 6071, 6260])
def test_a_refusal_that_is_normal_rests_nothing_however_often_it_comes(code: int) -> None:
    assert may_place_after(code)


def test_three_other_failures_in_a_row_rest_placing() -> None:
    assert not may_place_after(6059)
