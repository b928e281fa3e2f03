"""Grid files drawn by a seed: every kind of setting that changes what a grid does on a tape."""

from __future__ import annotations

import random


def random_grid(chance: random.Random, name: str, middle: float) -> str:
    """A grid file around a price; the account has the grid's name. It may be one that is refused."""
    below, above = (chance.choice([0.01, 0.03, 0.08]) for _ in range(2))
    lines = [
        "[grid]",
        f'id = "{name}"',
        f'account = "{name}"',
        'market = "SOL-PERP"',
        f'direction = "{chance.choice(["neutral", "neutral", "long", "short"])}"',
        f'entry = "{chance.choice(["maker", "taker"])}"',
        f'lower = "{middle * (1 - below):.2f}"',
        f'upper = "{middle * (1 + above):.2f}"',
        f"intervals = {chance.choice([6, 15, 40])}",
        f'spacing = "{chance.choice(["arithmetic", "geometric"])}"',
        "size = " + chance.choice(['{ base = "0.1" }', '{ base = "0.37" }', '{ quote = "25" }']),
        "[window]",
        f"live_orders = {chance.choice([3, 8, 16, 27])}",
        "reserve = 5",
        f"hysteresis = {chance.choice([0, 1, 2])}",
        f'roll_interval = "{chance.choice(["0", "5s", "1m"])}"',
        "[orders]",
        f'order_life = "{chance.choice(["0", "1h", "4h"])}"',
        f'missed = "{chance.choice(["wait", "wait", "take"])}"',
        "[risk]",
        f'max_drawdown = "{chance.choice(["0.02", "0.15", "0.9"])}"',
    ]
    if chance.random() < 0.4:
        lines += ["[range]", f'above = "{chance.choice(["recenter", "reduce", "hold"])}"', 'recenter_after = "10m"']
    if chance.random() < 0.3:
        lines += ["[stops]", f'low = "{middle * (1 - below - 0.01):.2f}"']
    return "\n".join(lines) + "\n"
