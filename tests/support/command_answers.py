"""What services answer about one grid, `sol`, in tests of the command."""

from __future__ import annotations

from gridkeeper_core.events import GridOpened, RangeLeft
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.ledger.marks import Line, Result
from gridkeeper_core.ledger.performance import Earned
from gridkeeper_core.requests import GridDetail, GridView, OrderView
from support.command import GRID_TEXT, SPEC, START_NS

VIEW = GridView(
    id="sol",
    market="SOL-PERP",
    account="main",
    state="open",
    reasons=(),
    price_e6=100_500_000,
    price_ns=START_NS,
    gap=1,
    position_e9=-1_000_000_000,
    fills=3,
    turns=1,
    cash_e6=1_250_000,
    fees_e6=-20_000,
    live_orders=1,
    wanted_orders=3,
    lower_e6=90_000_000,
    upper_e6=120_000_000,
    range_left="",
)
ORDER = OrderView(
    intent_id="sol/buy/0/0", side="buy", cell=0, price_e6=90_000_000, size_e9=10**9, filled_e9=0, unwanted=""
)
DETAIL = GridDetail(
    view=VIEW,
    levels_e6=(90_000_000, 100_000_000, 110_000_000, 120_000_000),
    sizes_e9=(10**9,) * 3,
    held_e9=(0, 10**9, 0),
    cycles=(0, 1, 0),
    orders=(ORDER,),
    source=GRID_TEXT,
)
RESULT = Result(
    price_e6=100_500_000,
    position_e9=-1_000_000_000,
    average_entry_e6=110_000_000,
    break_even_e6=110_020_000,
    grid_profit_e6=10_000_000,
    realized_pnl_e6=8_000_000,
    unrealized_pnl_e6=-9_500_000,
    fees_e6=-20_000,
    funding_e6=5_000,
    total_pnl_e6=-1_475_000,
    fills=3,
    turns=1,
)
BOOKS = ledger.GridBooksView(
    grid_id="sol",
    market="SOL-PERP",
    is_open=True,
    result=RESULT,
    lines=(Line(name="grid profit", quote_e6=10_000_000), Line(name="fees", quote_e6=20_000)),
    earned=Earned(
        opened_ns=0,
        until_ns=0,
        capital_e6=1_000_000_000,
        grid_apr_e4=1_250,
        total_apr_e4=None,
        peak_equity_e6=1_000_000_000,
        drawdown_e6=1_475_000,
        drawdown_e4=14,
    ),
)
OPENED = GridOpened(
    levels_e6=DETAIL.levels_e6,
    sizes_e9=DETAIL.sizes_e9,
    held_e9=(0, 10**9, 10**9),
    start_price_e6=100_000_000,
    start_position_e9=0,
    spec=SPEC,
)
LEFT = RangeLeft(where="low", price_e6=89_000_000)
