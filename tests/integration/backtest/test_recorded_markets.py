"""Recorded markets through the lab: weeks in a range, two crashes, real trades; the books prove themselves."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from gridkeeper_core import events as e
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E6, NS_PER_MS
from gridkeeper_core.venue.state import FillModel, FillRules
from gridkeeper_lab.backtest import Engine, Run, Setting, run
from gridkeeper_lab.columns import Columns, read_columns
from gridkeeper_lab.funding_file import read_funding
from gridkeeper_lab.outcome import Outcome, outcome_of
from gridkeeper_lab.tape import TapeSpec
from support.recorded_data import recorded_folder
from support.sol_perp import SOL_PERP

DAY_BARS = 4 * 1440
ENGINES: tuple[Engine, ...] = ("skipping", "plain")
SPEC = SOL_PERP


@pytest.fixture(scope="module")
def data() -> Path:
    return recorded_folder()


def tape(file: Path, spec: MarketSpec = SPEC, **choice: str) -> Columns:
    return read_columns(
        [file], TapeSpec(market="SOL-PERP", tick_e6=spec.tick_e6, step_e9=spec.step_e9, **choice)  # type: ignore[arg-type]
    )  # fmt: skip


def traded(
    rows: Columns, lower: str, upper: str, intervals: int, size: str, *, funding: Path | None = None,
    spec: MarketSpec = SPEC, model: FillModel = "through", more: str = "",
) -> tuple[Run, Outcome]:  # fmt: skip
    text = (
        f'[grid]\nid = "recorded"\nmarket = "SOL-PERP"\nlower = "{lower}"\nupper = "{upper}"\n'
        f'intervals = {intervals}\nsize = {{ base = "{size}" }}\n[risk]\nenabled = false\n{more}'
    )
    setting = Setting(
        spec=spec,
        fills=FillRules(model=model),
        latency_ns=400 * NS_PER_MS,
        deposit_e6=10**7 * E6,
        enforce_margin=False,
    )
    ran = run(parse_grid(text), text, rows, setting, funding=read_funding([funding]) if funding else ())
    return ran, outcome_of(ran)


def check_books(ran: Run, outcome: Outcome) -> None:
    """What must hold after any history: the proof, the sum of the lines, and the venue's position."""
    assert outcome.residual_e6 == 0
    assert sum(line.quote_e6 for line in outcome.lines) == outcome.total_pnl_e6
    position = ran.lab.venue.accounts["main"].position(0)
    assert outcome.position_e9 == position.base_e9
    assert outcome.total_pnl_e6 - sum(_keeper_fees(ran)) == _worth_e6(ran, outcome)
    assert outcome.max_live_orders <= 28
    assert not ran.lab.execution.account("main").differs
    assert [event for event in ran.events() if isinstance(event.fact, e.GridFaulted | e.VenueDiffers)] == []


def test_weeks_in_a_range_in_may_and_june_2025(data: Path) -> None:
    rows = tape(data / "candles/binance_um_SOLUSDT_1m_20250504_20250624.csv.gz")
    funding = data / "funding/hyperliquid_SOL_funding_1h_20230512_20250726.csv.gz"

    ran, outcome = traded(rows.part(0, 9 * DAY_BARS), "140", "190", 80, "0.5", funding=funding)

    check_books(ran, outcome)
    assert outcome.fills > 300
    assert outcome.funding_e6 != 0
    assert outcome.grid_profit_e6 > 0


def test_the_crash_of_october_2025_with_funding(data: Path) -> None:
    rows = tape(data / "candles/binance_um_SOLUSDT_5m_20241231_20260219.csv.gz")
    funding = data / "funding/binance_um_SOLUSDT_funding_8h_20241231_20260219.csv.gz"
    crash = int((rows.price_e6 == rows.price_e6[rows.ts_ns > 1_759_900_000 * 10**9][:4_000].min()).argmax())

    ran, outcome = traded(rows.part(crash - 12 * 288, crash + 12 * 288), "140", "240", 50, "1", funding=funding)

    check_books(ran, outcome)
    assert outcome.funding_e6 != 0
    assert outcome.max_drawdown_e6 > 0


def test_fourteen_months_of_five_minute_bars(data: Path) -> None:
    rows = tape(data / "candles/binance_um_SOLUSDT_5m_20241231_20260219.csv.gz")
    assert len(rows) > 400_000

    ran, outcome = traded(rows, "60", "320", 26, "1", more='[orders]\norder_life = "0"\n')

    check_books(ran, outcome)
    assert outcome.fills > 100


def test_the_crash_of_may_2021(data: Path) -> None:
    rows = tape(data / "candles/binance_spot_SOLUSDT_1m_20210515_20210615.csv.gz")

    ran, outcome = traded(rows.part(0, 6 * DAY_BARS), "18", "62", 60, "1")

    check_books(ran, outcome)
    assert outcome.fills > 200


@pytest.mark.parametrize("model", ["touch", "queue"])
def test_real_trades_of_btc(data: Path, model: FillModel) -> None:
    spec = msgspec.structs.replace(SOL_PERP, tick_e6=100_000, step_e9=100_000, minimum_e9=100_000)
    rows = tape(data / "ticks/binance_trades_btc_eth_2023_2024.csv.gz", spec, symbol="BTCUSDT", venue="binance_um")
    middle = int(rows.price_e6[0]) // E6

    ran, outcome = traded(
        rows, str(middle - 300), str(middle + 300), 100, "0.002", spec=spec, model=model
    )  # fmt: skip

    check_books(ran, outcome)
    assert outcome.fills > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "name",
    [
        "candles/binance_um_SOLUSDT_1m_20250504_20250624.csv.gz",
        "candles/binance_um_SOLUSDT_5m_20241231_20260219.csv.gz",
        "candles/binance_spot_SOLUSDT_1m_20210515_20210615.csv.gz",
    ],
)
def test_both_engines_record_the_same_events_for_any_grid_on_any_recorded_market(
    data: Path, name: str, seed: int
) -> None:
    chance = random.Random(seed)
    rows = tape(data / name)
    first = chance.randrange(len(rows) - 2_000)
    part = rows.part(first, first + 2_000)
    middle = int(part.price_e6[0]) / E6
    wide = chance.choice([0.02, 0.1])
    text = (
        f'[grid]\nid = "any"\nmarket = "SOL-PERP"\nlower = "{middle * (1 - wide):.2f}"\n'
        f'upper = "{middle * (1 + wide):.2f}"\nintervals = {chance.choice([10, 40, 90])}\n'
        f'size = {{ base = "{chance.choice(["0.1", "1.5"])}" }}\n[window]\nlive_orders = {chance.choice([6, 27])}\n'
        f'[orders]\norder_life = "{chance.choice(["0", "1h"])}"\n'
    )
    setting = Setting(
        spec=SPEC,
        fills=FillRules(model=chance.choice(["touch", "through", "queue"])),
        latency_ns=chance.choice([0, 400, 20_000]) * NS_PER_MS,
        deposit_e6=chance.choice([500, 10**6]) * E6,
    )

    skipping, plain = (run(parse_grid(text), text, part, setting, engine=engine) for engine in ENGINES)

    assert list(skipping.events()) == list(plain.events())
    assert len(plain.events()) > 50


def _keeper_fees(ran: Run) -> list[int]:
    return [event.fact.quote_e6 for event in ran.events() if isinstance(event.fact, e.KeeperFeeCharged)]


def _worth_e6(ran: Run, outcome: Outcome) -> int:
    """What the venue says the position earned: it began flat, and nothing was settled."""
    position = ran.lab.venue.accounts["main"].position(0)
    value = abs(position.base_e9) * outcome.final_price_e6 // 10**9
    return position.quote_asset_e6 + (value if position.base_e9 >= 0 else -value)
