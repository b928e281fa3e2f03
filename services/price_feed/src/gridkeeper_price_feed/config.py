"""The settings of the price-feed, from variables that begin with `GRIDKEEPER_PRICE_FEED_`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import MARKET_PATTERN
from gridkeeper_core.prices.path import PathOrder
from gridkeeper_core.units import E6, E9
from gridkeeper_runtime.settings import Secret, Settings

PREFIX = "GRIDKEEPER_PRICE_FEED_"
SERVICE = "price_feed"
SYNTHETIC = "synthetic"
REPLAY = "replay:"
PYTH = "pyth"
DRIFT = "drift"
SPEED_MAX = 60


class FeedSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one market's prices come from (`synthetic`, `replay:FILE[,FILE…]`, `pyth`, `drift`) and what that needs.

    The defaults of tick and step are those of SOL-PERP on Drift. `seed` to `size_e9` belong to synthetic markets,
    `path` to `venue` to recorded ones (see `gridkeeper_lab.tape.TapeSpec`), the others to live ones: `feed_id` is
    Pyth's (known for SOL, BTC and ETH); a price older than `stale_s` or less sure than `confidence_e4` is none.
    """

    source: str = SYNTHETIC
    tick_e6: int = 100
    step_e9: int = E9 // 100
    seed: int = 1
    start_e6: int = 150 * E6
    amplitude_e4: int = 600
    period_rows: int = 256
    interval_ms: int = 250
    size_e9: int = 5 * E9
    path: PathOrder = "near"
    symbol: str | None = None
    venue: str | None = None
    feed_id: str = ""
    stale_s: int = 10
    confidence_e4: int = 200

    @property
    def files(self) -> list[Path]:
        """The recorded files of a replay; empty for other sources."""
        return [Path(name) for name in self.source.removeprefix(REPLAY).split(",")] if self.is_replay else []

    @property
    def label(self) -> str:
        """What `FeedStarted.source` says: another label is another source, whose rows begin at its first."""
        return f"{SYNTHETIC}:{self.seed}" if self.source == SYNTHETIC else self.source

    @property
    def is_live(self) -> bool:
        """Whether the prices are those of now, from outside."""
        return self.source in (PYTH, DRIFT)

    @property
    def is_replay(self) -> bool:
        """Whether the prices are recorded, so that the tape's time stands for the clock."""
        return self.source.startswith(REPLAY)


class PriceFeedSettings(Settings, frozen=True, kw_only=True):
    """`feeds` is a JSON object: market -> `FeedSpec`; recorded and other sources cannot be mixed.

    `speed` is how fast a tape runs (1: as it was), in lockstep it has no meaning. `hold_after` lets only so many rows
    of a tape pass before somebody asks for more on `tape.run`; a tape that is beyond them already is not held again.
    `lockstep_services` are asked whether they are at rest, `price_readers` those among them that take prices. `prepare`
    makes tables and streams where they are missing. `hermes_url` is where `pyth` is read, `rpc_url` (and `rpc2_url`,
    where that is away) where `drift` is, every `poll_ms`.
    """

    nats_url: Secret
    nats_nkey: Secret = ""
    postgres_url: Secret
    data_dir: Path
    feeds: str
    shard: int = 0
    speed: float = 1.0
    lockstep: bool = False
    lockstep_services: str = "strategy,execution,ledger,notifier,sandbox"
    price_readers: str = "strategy,execution,ledger"
    hold_after: int | None = None
    hermes_url: str = "https://hermes.pyth.network"
    rpc_url: Secret = ""
    rpc2_url: Secret = ""
    requests_per_s: int = 10
    poll_ms: int = 1_000
    prepare: bool = False
    health_host: str = "127.0.0.1"
    health_port: int = 0
    log_level: str = "info"

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError("the speed must be above zero")
        replayed = {spec.is_replay for spec in self.feed_specs().values()}
        if len(replayed) > 1:
            raise ValueError("a tape's time stands for the clock, so recorded and other sources cannot be mixed")
        if self.speed > SPEED_MAX and not self.lockstep:
            raise ValueError(f"above {SPEED_MAX} times the services may fall behind the tape: use lockstep")
        if self.lockstep and replayed != {True}:
            raise ValueError("lockstep needs a recorded source")

    @property
    def is_tape(self) -> bool:
        """Whether the tape's time stands for the clock."""
        return any(spec.is_replay for spec in self.feed_specs().values())

    def feed_specs(self) -> dict[str, FeedSpec]:
        """Market -> where its prices come from. Raises ValueError when `feeds` cannot be read."""
        specs = msgspec.json.decode(self.feeds, type=dict[str, FeedSpec])
        for market, spec in specs.items():
            if not MARKET_PATTERN.fullmatch(market):
                raise ValueError(f"{market!r} is no market such as SOL-PERP")
            if not spec.is_replay and not spec.is_live and spec.source != SYNTHETIC:
                raise ValueError(f"the source {spec.source!r} of {market} is not synthetic, replay:FILE, pyth or drift")
            if spec.source == DRIFT and not self.rpc_url:
                raise ValueError("the source drift needs rpc_url")
        return specs


def names_in(text: str) -> list[str]:
    """The names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def check_files(specs: dict[str, FeedSpec]) -> None:
    """Raises GridkeeperError BAD_FILE when a recorded file is not there."""
    for file in (file for spec in specs.values() for file in spec.files):
        if not file.is_file():
            raise GridkeeperError("BAD_FILE", field=f"{PREFIX}FEEDS", value=file, expected="a file of recorded prices")
