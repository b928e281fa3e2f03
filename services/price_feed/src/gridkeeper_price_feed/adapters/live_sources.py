"""Makes the live sources that the settings name: one of each kind, for all of its markets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import NS_PER_S
from gridkeeper_price_feed.config import DRIFT, PYTH, FeedSpec, PriceFeedSettings
from gridkeeper_price_feed.feed import MarketFeed
from gridkeeper_price_feed.live import Limits, LiveFeed
from gridkeeper_price_feed.ports import LiveSource

FEED_IDS = {
    "SOL-PERP": "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
    "BTC-PERP": "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
    "ETH-PERP": "ff61491a931112ddf1bd8147cd1b613375f79f5825126d665480874634fd0ace",
}
"""Pyth's USD feeds of the markets the demo has; others are named in the settings."""


def live_feeds(
    settings: PriceFeedSettings, feeds: Mapping[str, MarketFeed], clock: Callable[[], int]
) -> list[LiveFeed]:
    """None for sources that are not live. Raises BAD_VALUE for a market whose Pyth feed is not known."""
    made = []
    for kind, make in ((PYTH, _pyth), (DRIFT, _drift)):
        specs = {market: spec for market, spec in settings.feed_specs().items() if spec.source == kind}
        if specs:
            limits = {
                market: Limits(stale_ns=spec.stale_s * NS_PER_S, confidence_e4=spec.confidence_e4)
                for market, spec in specs.items()
            }
            own = {market: feeds[market] for market in specs}
            made.append(LiveFeed(make(settings, specs), own, limits, clock))
    return made


def _pyth(settings: PriceFeedSettings, specs: Mapping[str, FeedSpec]) -> LiveSource:
    ids: dict[str, str] = {}
    for market, spec in specs.items():
        feed_id = (spec.feed_id or FEED_IDS.get(market, "")).removeprefix("0x").lower()
        if not feed_id:
            raise GridkeeperError(
                "BAD_VALUE",
                field=f"feeds.{market}",
                value=PYTH,
                expected="a feed_id, which is not known of this market",
            )
        ids[feed_id] = market
    # httpx takes a sixth of a second, which a tape need not pay for.
    from gridkeeper_price_feed.adapters.pyth import PythSource

    return PythSource(settings.hermes_url, ids)


def _drift(settings: PriceFeedSettings, specs: Mapping[str, FeedSpec]) -> LiveSource:
    # driftpy takes 40 MB and half a second, which other sources need not pay for.
    from gridkeeper_price_feed.adapters.drift_oracles import DriftOracleSource

    return DriftOracleSource(
        settings.rpc_url,
        list(specs),
        second_url=settings.rpc2_url,
        requests_per_s=settings.requests_per_s,
        poll_s=settings.poll_ms / 1_000,
    )
