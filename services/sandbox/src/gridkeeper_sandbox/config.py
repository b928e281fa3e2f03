"""The settings of the sandbox, from variables that begin with `GRIDKEEPER_SANDBOX_`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.venue.state import FillModel, FillRules, MarketRules
from gridkeeper_runtime.settings import Secret, Settings

PREFIX = "GRIDKEEPER_SANDBOX_"
SERVICE = "sandbox"
FINALIZED_AFTER_SLOTS = 32


class MarketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One perpetual market; the defaults are those of SOL-PERP on Drift."""

    symbol: str
    index: int
    tick_e6: int = 100
    step_e9: int = 10_000_000
    minimum_e9: int = 10_000_000
    margin_ratio_initial_e4: int = 1000
    margin_ratio_maintenance_e4: int = 500


DEMO_MARKETS = (
    MarketSettings(symbol="SOL-PERP", index=0),
    MarketSettings(symbol="BTC-PERP", index=1, tick_e6=100_000, step_e9=100_000, minimum_e9=100_000),
    MarketSettings(symbol="ETH-PERP", index=2, tick_e6=10_000, step_e9=1_000_000, minimum_e9=1_000_000),
)


class SandboxSettings(Settings, frozen=True, kw_only=True):
    """`state_dir` keeps the chain over restarts; the websocket listens on `port` + 1.

    `markets` is a JSON array of `MarketSettings` (empty: SOL, BTC and ETH). Fees are 1e-5 of notional for every
    account, a negative maker fee is a rebate. With `tape` the chain's clock is the tape's, else the host's. `lockstep`
    is a tape whose rows come by request, and on which all that lands is final at once. `sync` makes every answer wait
    for the disk. `max_sub_accounts` is how many there may be in all, 0 sets no limit. `priority_fee`
    is what recent transactions are said to have paid (1e-6 lamports for each unit). `scenario` is a TOML file of
    faults that are in force from the market's first price on, so that accounts can be made before.
    """

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 8899
    nats_url: Secret = ""
    nats_nkey: Secret = ""
    shard: int = 0
    markets: str = ""
    fill_model: FillModel = "through"
    queue_ahead_e4: int = 0
    spread_bps: int = 0
    slippage_bps: int = 0
    price_band_e4: int = 0
    stale_after_slots: int = 0
    funding_rate_e9: int = 0
    pnl_pool_e6: int | None = None
    maker_fee_e5: int = -20
    taker_fee_e5: int = 100
    keeper_fee_e6: int = 0
    expiry_grace_s: int = 15
    enforce_margin: bool = True
    tape: bool = False
    lockstep: bool = False
    confirmed_slots: int = 0
    finalized_slots: int = FINALIZED_AFTER_SLOTS
    max_sub_accounts: int = 0
    priority_fee: int = 0
    faucet: bool = True
    scenario: Path | None = None
    sync: bool = True
    health_host: str = "127.0.0.1"
    health_port: int = 0
    log_level: str = "info"

    def __post_init__(self) -> None:
        if not 0 <= self.confirmed_slots <= self.finalized_slots:
            raise ValueError("a transaction is confirmed before it is finalized")
        if self.maker_fee_e5 > 0 or self.taker_fee_e5 < 0:
            raise ValueError("Drift knows maker rebates (not above 0) and taker fees (not below 0)")
        indexes = [market.index for market in self.market_settings()]
        if sorted(indexes) != list(range(len(indexes))):
            raise ValueError("market indexes must count from 0 without a gap")

    @property
    def follows_tape(self) -> bool:
        """Whether the chain's clock is the tape's."""
        return self.tape or self.lockstep

    @property
    def fills(self) -> FillRules:
        """When a trade fills a resting order."""
        return FillRules(model=self.fill_model, queue_ahead_e4=self.queue_ahead_e4)

    def market_settings(self) -> tuple[MarketSettings, ...]:
        """The markets. Raises ValueError where `markets` cannot be read."""
        if not self.markets:
            return DEMO_MARKETS
        return msgspec.json.decode(self.markets, type=tuple[MarketSettings, ...])

    def market_rules(self) -> list[MarketRules]:
        """The markets as the model of the venue takes them."""
        return [
            MarketRules(
                spec=MarketSpec(
                    symbol=market.symbol,
                    venue="drift",
                    index=market.index,
                    tick_e6=market.tick_e6,
                    step_e9=market.step_e9,
                    minimum_e9=market.minimum_e9,
                    margin_ratio_initial_e4=market.margin_ratio_initial_e4,
                    margin_ratio_maintenance_e4=market.margin_ratio_maintenance_e4,
                    maker_fee_e5=self.maker_fee_e5,
                    taker_fee_e5=self.taker_fee_e5,
                ),
                spread_bps=self.spread_bps,
                slippage_bps=self.slippage_bps,
                price_band_e4=self.price_band_e4,
                stale_after_slots=self.stale_after_slots,
                funding_rate_e9=self.funding_rate_e9,
                pnl_pool_e6=self.pnl_pool_e6,
                keeper_fee_e6=self.keeper_fee_e6,
                expiry_grace_s=self.expiry_grace_s,
            )
            for market in self.market_settings()
        ]
