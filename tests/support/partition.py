"""A network that swallows every packet of one port, as a real partition does; only for root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Partition:
    """Between one port of this machine and everybody; `cut` and `heal` may be called in turn."""

    def __init__(self, port: int) -> None:
        self._rules = [
            ["INPUT", "-i", "lo", "-p", "tcp", side, str(port), "-j", "DROP"] for side in ("--dport", "--sport")
        ]
        self._is_cut = False

    def cut(self) -> None:
        """From now on nothing gets through, and nobody is told."""
        for rule in self._rules:
            _iptables("-I", rule)
        self._is_cut = True

    def heal(self) -> None:
        """Everything gets through again."""
        if self._is_cut:
            for rule in self._rules:
                _iptables("-D", rule)
        self._is_cut = False


@contextmanager
def partition(port: int) -> Iterator[Partition]:
    """Whole at first and at the end; the test is skipped where none can be made."""
    made = Partition(port)
    try:
        made.cut()
        made.heal()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a partition needs root and iptables: {error}")
    try:
        yield made
    finally:
        made.heal()


def _iptables(action: str, rule: list[str]) -> None:
    subprocess.run(["iptables", "-w", action, *rule], check=True, capture_output=True)
