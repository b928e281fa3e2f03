"""`gridkeeper data`: history to test grids on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from gridkeeper_cli.backtest_command import progress_bar
from gridkeeper_cli.session import Session, everywhere, pass_session

if TYPE_CHECKING:
    from gridkeeper_cli.data_download import Downloaded
    from gridkeeper_cli.data_sources import Kind

_GAPS_SHOWN = 5


@click.group()
@everywhere
def data() -> None:
    """Recorded history: trades, candles and funding rates.

    \b
    Example:
      gridkeeper data download --source binance --symbol SOLUSDT --from 2025-05-01 --to 2025-06-01 --out may.parquet
    """


@data.command()
@click.option("--source", type=click.Choice(("binance", "hyperliquid", "drift")), required=True, help="Whose archive.")
@click.option("--kind", type=click.Choice(("candles", "trades", "funding")), default="candles", show_default=True)
@click.option("--symbol", required=True, help="As the source names it: SOLUSDT, SOL or SOL-PERP.")
@click.option(
    "--interval", type=click.Choice(("1m", "5m", "15m", "1h", "4h", "1d")), default="1m", show_default=True,
    help="Of candles.",
)  # fmt: skip
@click.option("--from", "first", type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M")), required=True, help="UTC.")
@click.option(
    "--to", "end", type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M")), required=True, help="UTC, not included."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE.parquet", help="Where to.")
@click.option("--base-url", help="Another server that answers like the source.")
@everywhere
@pass_session
def download(
    session: Session,
    source: str,
    kind: str,
    symbol: str,
    interval: str,
    first: datetime,
    end: datetime,
    out: Path,
    base_url: str | None,
) -> None:
    """Fetch public history into a Parquet file that backtest reads.

    A download that was broken off goes on where it stopped when the same command is given again.

    \b
    Example:
      gridkeeper data download --source binance --symbol SOLUSDT --from 2025-05-01 --to 2025-06-01 --out may.parquet
      gridkeeper data download --source drift --kind funding --symbol SOL-PERP --from 2024-05-01 --to 2024-06-01 \\
        --out funding.parquet
    """
    from gridkeeper_cli.data_download import download as fetch_all
    from gridkeeper_cli.data_download import http_fetch
    from gridkeeper_cli.data_sources import BASE_URLS, Wanted

    wanted = Wanted(
        source=source,
        kind=cast("Kind", kind),
        symbol=symbol,
        interval=interval,
        first_ms=_ms(first),
        end_ms=_ms(end),
    )
    if wanted.first_ms >= wanted.end_ms:
        raise click.UsageError("--from must be before --to.")
    with progress_bar(f"{symbol} {kind}", wanted.end_ms - wanted.first_ms) as tell:
        told = None if tell is None else lambda now_ms: tell(now_ms - wanted.first_ms)
        done = fetch_all(wanted, out, http_fetch(base_url or BASE_URLS[source]), told)
    session.answer(_document(done, out), *_text(done, out))


def _document(done: Downloaded, out: Path) -> dict[str, Any]:
    return {
        "file": str(out),
        "rows": done.rows,
        "first": _iso(done.first_ms),
        "last": _iso(done.last_ms),
        "resumed_rows": done.resumed_rows,
        "duplicates": done.duplicates,
        "gaps": [{"after": _iso(g.after_ms), "before": _iso(g.before_ms), "missing": g.missing} for g in done.gaps],
    }


def _text(done: Downloaded, out: Path) -> list[str]:
    lines = [f"{out}: {done.rows:,} rows, {_iso(done.first_ms)} to {_iso(done.last_ms)}"]
    if done.resumed_rows:
        lines.append(f"{done.resumed_rows:,} of them from an earlier attempt")
    lines += [
        f"gap: {gap.missing:,} missing between {_iso(gap.after_ms)} and {_iso(gap.before_ms)}"
        for gap in done.gaps[:_GAPS_SHOWN]
    ]
    if len(done.gaps) > _GAPS_SHOWN:
        lines.append(f"{len(done.gaps) - _GAPS_SHOWN} more gaps; --json has all of them")
    return lines


def _ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp()) * 1000


def _iso(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")
