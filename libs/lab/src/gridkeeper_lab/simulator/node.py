"""A simulated service: what is durable of it, and whichever process works for it."""

from __future__ import annotations

from typing import Any

from gridkeeper_core.prices.price import Price
from gridkeeper_lab.simulator.desk import Desk
from gridkeeper_lab.simulator.process import Process
from gridkeeper_lab.simulator.storage import Database

DEATHS = ("signed", "commit", "committed", "publish", "published", "send", "sent")
"""Steps before or after which a process can be made to die, in the order of a turn."""


class Node:
    """A service: what is durable of it, the process that lives (None: it is dead), and one that was given up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.database = Database()
        self.process: Process | None = None
        self.machine: Any = None
        self.desk: Desk | None = None
        self.stale: tuple[Process, Desk | None] | None = None
        self.newest: Price | None = None
        self.skew_ns = 0
        self.dies_at = ""
        self.is_unacknowledged = False
        self.restarts = 0
