"""Grids side by side, each on a sub-account of its own, on a recording that passes in lockstep when a test says so."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gridkeeper_cli.demo import make_demo_files
from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from support.whole_system import WholeSystem, running

START_MS, ROW_MS = 1_700_000_000_000, 20_000
_WRONG = (e.VenueDiffers, e.GridFaulted, e.TransactionFailed, e.TransactionExpired, e.FillReverted)


def price_tape(folder: Path, prices: Sequence[float]) -> Path:
    """A recording of sales at these prices, one every 20 s."""
    rows = [f"{START_MS + ROW_MS * n},{price:.2f},500,sell" for n, price in enumerate(prices)]
    tape = folder / "tape.csv"
    tape.write_text("\n".join(["ts_ms,price,size,side", *rows]) + "\n")
    return tape


@contextmanager
def held_in_lockstep(
    folder: Path, tape: Path, names: Collection[str], limits: Mapping[str, str] | None = None
) -> Iterator[WholeSystem]:
    """The system with an account for each name, held after the first row; no grid yet.

    `limits` are further lines of an account's settings.
    """
    data_dir = folder / "data"
    _make_settings(data_dir, tape, names, limits or {})
    with running(data_dir, "--no-example", "--lockstep", "--hold-after", "1") as made:
        made.until(lambda: made.tape().rows_out == 1 and len(made.accounts()) == len(names), within_s=120)
        yield made


def check_all_is_well(system: WholeSystem, facts: Sequence[Recorded]) -> None:
    """Nothing failed or differed, every account equals the venue, and both logs replay to the states that run."""
    assert [event for event in facts if isinstance(event.fact, _WRONG)] == []
    system.ask("query.0.execution.reconcile")
    for account in system.accounts().values():
        assert (account.phase, account.differs, account.in_flight) == ("live", False, ""), account
    for source in ("postgres", "ev"):
        assert system.done("audit", "replay", "--from", source)


def _make_settings(data_dir: Path, tape: Path, names: Collection[str], limits: Mapping[str, str]) -> None:
    """Those of the demo, with as many sub-accounts of its wallet as there are names."""
    data_dir.mkdir()
    configuration = make_demo_files(data_dir, f"replay:{tape}")
    text = configuration.read_text()
    main = tomllib.loads(text)["accounts"]["main"]
    first, *others = names
    text = text.replace("[accounts.main]", f"[accounts.{first}]")
    for number, alias in enumerate(others, start=1):
        text += f'\n[accounts.{alias}]\nrpc = ""\nauthority = "{main["authority"]}"\nsub_account = {number}\n'
        text += f'signer = "{main["signer"]}"\nowner_key = true\n{limits.get(alias, "")}'
    configuration.write_text(text)
