"""Measures the demo as a user starts it: until it is ready, until its first fill, and the memory of all processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from section import print_section
from servers import temporary_folder

from gridkeeper_bus.connection import connect
from gridkeeper_bus.history import read_last, subjects_of
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import read_run_file
from gridkeeper_runtime.embedded import EmbeddedPostgres

WITHIN_S = 120.0
SETTLED_AFTER_S = 20.0
COMMAND = Path(sys.executable).with_name("gridkeeper")

ABOUT = """
`gridkeeper up` on an empty data directory, installed before: both servers, the sandbox, the five services, an account
and the example grid on synthetic prices. *Ready* is when every service says so. *First fill* is when its event is on
EV. Memory is read {settled:.0f} s after that; PSS counts a shared page once over all processes, RSS once for each.
*Again* is the next start on the same data directory.
"""


class Demo:
    """One `gridkeeper up`; the seconds are from its start."""

    def __init__(self, data_dir: Path, output: Path) -> None:
        self._data_dir = data_dir
        self._output = output
        self._began_s = time.perf_counter()
        with output.open("wb") as file:
            arguments = [str(COMMAND), "up", "--no-live-view", "--data-dir", str(data_dir)]
            self.process = subprocess.Popen(arguments, stdout=file, stderr=subprocess.STDOUT)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began_s

    async def until_ready(self) -> float:
        while "Ready after" not in self._output.read_text():
            if self.process.poll() is not None or self.seconds > WITHIN_S:
                sys.exit(f"The demo did not start:\n{self._output.read_text()}")
            await asyncio.sleep(0.05)
        return self.seconds

    async def until_first_fill(self) -> float:
        """Asks EV twenty times a second."""
        bus = await connect(self._nats_url(), "benchmark")
        try:
            while not (await read_last(bus, subjects_of("", ["order.filled.v1"]), 1)).messages:
                if self.seconds > WITHIN_S:
                    sys.exit("No order was filled.")
                await asyncio.sleep(0.05)
        finally:
            await bus.close()
        return self.seconds

    def memory_mb(self) -> dict[str, tuple[float, float]]:
        """Kind of process -> PSS and RSS in MB (1e6)."""
        sums: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        for pid in _with_descendants(self.process.pid):
            kind, pss, rss = _kind(pid), *_pss_and_rss_mb(pid)
            sums[kind] = (sums[kind][0] + pss, sums[kind][1] + rss)
        return dict(sums)

    def stop(self) -> float:
        began_s = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        return time.perf_counter() - began_s

    def _nats_url(self) -> str:
        try:
            return read_run_file(self._data_dir).nats_url
        except GridkeeperError as error:
            sys.exit(str(error))


async def measure(folder: Path) -> None:
    """Two starts on one data directory; prints both tables."""
    data_dir, output = folder / "data", folder / "up.log"
    demo = Demo(data_dir, output)
    try:
        ready_s, fill_s = await demo.until_ready(), await demo.until_first_fill()
        await asyncio.sleep(SETTLED_AFTER_S)
        memory = demo.memory_mb()
    finally:
        stop_s = demo.stop()
    again = Demo(data_dir, output)
    try:
        again_s = await again.until_ready()
    finally:
        again.stop()
    times = [("ready", ready_s), ("first fill", fill_s), ("stopped, in order", stop_s), ("ready again", again_s)]
    rows = [(name, f"{seconds:.1f} s") for name, seconds in times]
    for kind, (pss, rss) in sorted(memory.items(), key=lambda item: -item[1][0]):
        rows.append((f"memory of {kind}", f"{pss:,.0f} MB PSS, {rss:,.0f} MB RSS"))
    total = [sum(values) for values in zip(*memory.values(), strict=True)]
    rows.append(("**memory of the whole demo**", f"**{total[0]:,.0f} MB PSS**, {total[1]:,.0f} MB RSS"))
    print_section("The demo: start and memory", ABOUT.format(settled=SETTLED_AFTER_S), ("what", "measured"), rows)


def _with_descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):  # it has just ended
            continue
        children[parent].append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children[pid]
    return found


def _kind(pid: int) -> str:
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    modules = [argument for argument in arguments if argument.startswith("gridkeeper_")]
    if modules:
        return modules[0].removeprefix("gridkeeper_")
    program = Path(arguments[0].removesuffix(":").split(":")[0]).name
    return program if program.startswith(("postgres", "nats")) else "up (supervisor)"


def _pss_and_rss_mb(pid: int) -> tuple[float, float]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines[1:])}
    return kib["Pss"] * 1024 / 1e6, kib["Rss"] * 1024 / 1e6


def main() -> None:
    with temporary_folder() as folder:
        try:
            asyncio.run(measure(folder))
        finally:
            if os.geteuid() == 0:  # then the cluster lies outside of the folder
                postgres = EmbeddedPostgres(folder / "data")
                postgres.prepare()
                shutil.rmtree(postgres.home.area, ignore_errors=True)


if __name__ == "__main__":
    main()
