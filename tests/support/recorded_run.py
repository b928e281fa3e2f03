"""Makes the run that is kept in the tests: `PYTHONPATH=tests python -m support.recorded_run` writes it anew.

Only to be done on purpose, when states are proven by other facts than before: the file stands for all records.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from gridkeeper_cli.audit_incident import about, write_incident
from gridkeeper_core.inputs import PauseGrid, ProposeGrid, ResumeGrid
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue.state import FillRules
from support.lab_record import LabRecord
from support.story import MARKET, START_NS, Story

FILE = Path(__file__).parent.parent / "unit" / "audit" / "recorded_run.jsonl.gz"
ROWS = 1_500


def prices() -> list[Price]:
    """A walk between the ends of the grid and a little beyond; each row is a trade of some size."""
    drawn, price_e6, rows = random.Random(20_250_504), 105 * E6, []
    for seq in range(1, ROWS + 1):
        price_e6 += drawn.randint(-30, 30) * 10_000 + (105 * E6 - price_e6) // 400
        rows.append(
            Price(
                market=MARKET,
                source="walk",
                source_seq=seq,
                ts_ns=START_NS + seq * 20 * E9,
                oracle_e6=price_e6 // 10_000 * 10_000,
                size_e9=drawn.randint(1, 150) * E9 // 100,
                side=drawn.choice((1, -1)),
                good_for_ns=3600 * E9,
            )
        )
    return rows


def played() -> Story:
    """The grid on these prices: partial fills, renewals, a pause, and a reconciliation now and then."""
    story = Story(FillRules(model="through"), order_life_ns=4 * 3600 * E9, capital_e6=1_000 * E6)
    for price in prices():
        story.lab.row(price)
        story.now_ns = price.ts_ns
        if price.source_seq == 1:
            story.command(ProposeGrid(config=story.config, source=""))
        if price.source_seq == 400:
            story.command(PauseGrid())
        if price.source_seq == 420:
            story.command(ResumeGrid())
        if price.source_seq % 500 == 0:
            story.lab.reconcile()
    return story


async def write(path: Path) -> None:
    """Play it and write it down."""
    record = LabRecord(played().lab.log)
    await write_incident(record, await about(record, "tale"), prices(), (0, 2**62), path)


if __name__ == "__main__":
    asyncio.run(write(FILE))
