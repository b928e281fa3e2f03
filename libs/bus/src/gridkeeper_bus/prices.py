"""Prices on PX and the clock of a tape: the latest value wins, nothing is acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import nats.js.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from gridkeeper_bus.connection import Bus
from gridkeeper_core import names
from gridkeeper_core.prices.price import DECODER, ENCODER, Price

CLOCK_SUBJECT = "tape.clock"


class TapeClock(msgspec.Struct, frozen=True):
    """The body on `tape.clock`."""

    now_ns: int


_CLOCK_DECODER = msgspec.json.Decoder(TapeClock)


async def publish_price(bus: Bus, price: Price) -> bool:
    """Send a price; False when the bus is away (a price that waits for it would only be stale)."""
    if not bus.ready:
        return False
    await bus.client.publish(names.price_subject(price.market), ENCODER.encode(price))
    return True


async def last_price(bus: Bus, market: str) -> Price | None:
    """The newest price of a market that PX holds."""
    try:
        message = await bus.js.get_last_msg(names.PX_STREAM, names.price_subject(market), direct=False)
    except nats.js.errors.NotFoundError:
        return None
    assert message.data is not None
    return DECODER.decode(message.data)


async def subscribe_prices(
    bus: Bus, on_price: Callable[[Price], None], markets: Sequence[str] = ()
) -> list[Subscription]:
    """Hand over each price as it comes, after the newest one PX holds per market; no markets means all of them.

    `on_price` must return at once. Prices come in the order they were sent, before any request sent after them.
    """
    seen: set[str] = set()

    async def on_message(message: Msg) -> None:
        price = DECODER.decode(message.data)
        seen.add(price.market)
        on_price(price)

    subjects = [names.price_subject(market) for market in markets] or [names.PX_SUBJECTS]
    subscriptions = [await bus.client.subscribe(subject, cb=on_message) for subject in subjects]
    await bus.client.flush()
    for market in markets or await _markets_held(bus):
        price = await last_price(bus, market)
        if price is not None and market not in seen:
            on_price(price)
    return subscriptions


async def announce_clock(bus: Bus, now_ns: int) -> None:
    """Tell every service the time of the tape (UTC)."""
    await bus.client.publish(CLOCK_SUBJECT, msgspec.json.encode(TapeClock(now_ns)))


async def subscribe_clock(bus: Bus, on_clock: Callable[[int], None]) -> Subscription:
    """Hand over each announced now_ns; `on_clock` must return at once."""

    async def on_message(message: Msg) -> None:
        on_clock(_CLOCK_DECODER.decode(message.data).now_ns)

    subscription = await bus.client.subscribe(CLOCK_SUBJECT, cb=on_message)
    await bus.client.flush()
    return subscription


async def _markets_held(bus: Bus) -> list[str]:
    try:
        info = await bus.js.stream_info(names.PX_STREAM, subjects_filter=names.PX_SUBJECTS)
    except nats.js.errors.NotFoundError:
        return []
    return sorted(subject.removeprefix("px.") for subject in info.state.subjects or {})
