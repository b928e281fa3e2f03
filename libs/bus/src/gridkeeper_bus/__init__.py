"""The message bus: events on the JetStream stream EV, prices on PX, request and reply, all over NATS."""

import sys


def _load_nats_without_websockets() -> None:
    """nats-py loads aiohttp wherever it is installed, for a transport that nothing here uses; it takes a tenth of a
    second and 10 MB of each process."""
    if "aiohttp" in sys.modules:
        return
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # an import of it fails, as if it were not installed
    try:
        import nats.aio.transport  # noqa: F401
    finally:
        del sys.modules["aiohttp"]


_load_nats_without_websockets()
