"""httpx without its command line client, which it loads (and rich and pygments with it) wherever click is installed."""

import sys

_click = sys.modules.get("click")
sys.modules["click"] = None  # type: ignore[assignment]  # an import of it fails, as if it were not installed
try:
    import httpx as httpx
finally:
    if _click is None:
        del sys.modules["click"]
    else:
        sys.modules["click"] = _click
