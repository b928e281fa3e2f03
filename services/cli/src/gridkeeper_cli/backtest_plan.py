"""From the words of `gridkeeper backtest` to trials over recorded data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gridkeeper_cli.grid_source import GridFile
from gridkeeper_cli.typical_markets import typical_market
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.levels import build_levels, build_sizes, capital_e6
from gridkeeper_core.grid.parse import parse_amount
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.path import Participation, PathOrder
from gridkeeper_core.units import E4, E6, NS_PER_MS, parse_scaled
from gridkeeper_core.venue.state import FillModel, FillRules
from gridkeeper_lab.backtest import Setting
from gridkeeper_lab.columns import read_columns
from gridkeeper_lab.crossing import Crossings
from gridkeeper_lab.funding_file import read_funding
from gridkeeper_lab.tape import TapeSpec
from gridkeeper_lab.trials import History, Trial

FEE_SCALE = 10**5
NO_MARGIN_DEPOSIT_E6 = 10**9 * E6
TIERS_E5 = ((-20, 100), (-20, 90), (-20, 80), (-20, 70), (-20, 60), (-20, 50))
"""Maker and taker rates of Drift's tiers by 30-day volume, as the program has them by default."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a user said on the command line, as text where it is an amount."""

    data: tuple[str, ...]
    funding: tuple[str, ...] = ()
    fill: FillModel = "through"
    queue_ahead: str = "0"
    latency_ms: int = 400
    fees: str | None = None
    margin: bool = True
    post_only: bool = True
    path: PathOrder = "near"
    participation: str = "0.1"
    spread_bps: int = 0
    deposit: str | None = None
    symbol: str | None = None
    venue: str | None = None


def spec_of(market: str, options: Options) -> MarketSpec:
    """The market as it is traded in this run. Raises GridkeeperError MARKET_UNKNOWN, BAD_VALUE."""
    spec = typical_market(market)
    if options.fees is None:
        return spec
    maker_e5, taker_e5 = _fees(options.fees)
    return msgspec.structs.replace(
        spec,
        maker_fee_e5=spec.maker_fee_e5 if maker_e5 is None else maker_e5,
        taker_fee_e5=spec.taker_fee_e5 if taker_e5 is None else taker_e5,
    )


def histories(markets: Sequence[str], options: Options) -> dict[str, History]:
    """The recorded data of each market. Raises GridkeeperError BAD_FILE, BAD_DATA, BAD_VALUE."""
    data = _by_market("--data", options.data, markets)
    funding = _by_market("--funding", options.funding, markets)
    read = {}
    for market in markets:
        if not data[market]:
            raise GridkeeperError(
                "MISSING_KEY",
                field="--data",
                value=market,
                expected=f"{market}=FILE",
                do="Give a file for each market.",
            )
        tape = read_columns(data[market], tape_spec(market, options))
        if len(tape) == 0:
            raise GridkeeperError("BAD_DATA", field=str(data[market][0]), expected="one row at least")
        read[market] = History(tape, Crossings(tape.price_e6), tuple(read_funding(funding[market])))
    return read


def tape_spec(market: str, options: Options) -> TapeSpec:
    """How the files of a market are read."""
    spec = typical_market(market)
    share = parse_amount(options.participation, E6, "--participation")
    if not 0 <= share <= E6:
        raise GridkeeperError("BAD_VALUE", field="--participation", value=options.participation, expected="0 to 1")
    return TapeSpec(
        market=market,
        tick_e6=spec.tick_e6,
        step_e9=spec.step_e9,
        path=options.path,
        participation=Participation(share, E6),
        symbol=options.symbol,
        venue=options.venue,
    )


def trial_of(file: GridFile, history: History, options: Options, first: int = 0, end: int | None = None) -> Trial:
    """The trial of one grid. Raises GridkeeperError when its levels or sizes cannot be built."""
    config = file.config
    spec = spec_of(config.market, options)
    levels_e6 = build_levels(config, spec)
    sizes_e9 = build_sizes(config, spec, levels_e6)
    start_e6 = int(history.tape.price_e6[first])
    return Trial(
        config=config,
        source=file.source,
        setting=Setting(
            spec=spec,
            fills=FillRules(model=options.fill, queue_ahead_e4=_share_e4(options.queue_ahead)),
            latency_ns=options.latency_ms * NS_PER_MS,
            deposit_e6=_deposit_e6(options, capital_e6(config, levels_e6, sizes_e9, start_e6)),
            enforce_margin=options.margin,
            rejects_crossing=options.post_only,
            spread_bps=options.spread_bps,
        ),
        first=first,
        end=end,
    )


def _deposit_e6(options: Options, capital: int) -> int:
    if options.deposit is not None:
        return parse_amount(options.deposit, E6, "--deposit")
    return capital if options.margin else NO_MARGIN_DEPOSIT_E6


def _share_e4(text: str) -> int:
    share = parse_amount(text, E4, "--queue-ahead")
    if not 0 <= share <= E4:
        raise GridkeeperError("BAD_VALUE", field="--queue-ahead", value=text, expected="0 to 1")
    return share


def _by_market(option: str, words: Sequence[str], markets: Sequence[str]) -> dict[str, list[Path]]:
    """`FILE` belongs to the one market there is, `MARKET=FILE` to the market named."""
    found: dict[str, list[Path]] = {market: [] for market in markets}
    for word in words:
        market, is_named, file = word.partition("=")
        if is_named and market in found:
            found[market].append(Path(file))
        elif len(markets) == 1:
            found[markets[0]].append(Path(word))
        else:
            expected = " or ".join(f"{market}=FILE" for market in markets)
            raise GridkeeperError("BAD_VALUE", field=option, value=word, expected=expected)
    return found


def _fees(text: str) -> tuple[int | None, int | None]:
    rates: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name == "tier" and value.isdigit() and 1 <= int(value) <= len(TIERS_E5):
            rates["maker"], rates["taker"] = TIERS_E5[int(value) - 1]
        elif name in ("maker", "taker"):
            rates[name] = parse_scaled(value, FEE_SCALE, "--fees")
        else:
            expected = f"maker=RATE,taker=RATE or tier=1..{len(TIERS_E5)}"
            raise GridkeeperError("BAD_VALUE", field="--fees", value=text, expected=expected)
    return rates.get("maker"), rates.get("taker")
