"""Runs many grids over the same tapes, in as many processes as asked for, and brings back what they came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import Fact
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_lab.backtest import Engine, Run, Setting, run
from gridkeeper_lab.columns import Columns
from gridkeeper_lab.crossing import Crossings
from gridkeeper_lab.funding_file import Payment
from gridkeeper_lab.outcome import NEEDED, Outcome, outcome_of


class History(msgspec.Struct, frozen=True):
    """What is known of one market: its tape, the index over it, and its funding payments."""

    tape: Columns
    crossings: Crossings
    funding: tuple[Payment, ...] = ()


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One grid over the rows `first`..`end` of its market's tape (None: to the last one)."""

    config: GridConfig
    source: str
    setting: Setting
    first: int = 0
    end: int | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial came to, or the error for which it could not be run."""

    outcome: Outcome | None
    code: str = ""
    detail: str = ""


def run_trial(
    trial: Trial,
    history: History,
    engine: Engine = "skipping",
    progress: Callable[[int], None] | None = None,
    kept: frozenset[type[Fact]] | None = None,
) -> Run:
    """One trial in this process; `kept` as of `run`. Raises GridkeeperError when its grid cannot be opened."""
    is_whole = trial.first == 0 and trial.end in (None, len(history.tape))
    end = len(history.tape) if trial.end is None else trial.end
    return run(
        trial.config,
        trial.source,
        history.tape if is_whole else history.tape.part(trial.first, end),
        trial.setting,
        funding=history.funding,
        crossings=history.crossings if is_whole else None,
        engine=engine,
        progress=progress,
        kept=kept,
    )


def run_trials(
    trials: Sequence[Trial],
    histories: Mapping[str, History],
    *,
    jobs: int = 1,
    engine: Engine = "skipping",
    progress: Callable[[int], None] | None = None,
) -> list[Tried]:
    """All trials, in the order given. `progress` is told how many are done."""
    global _shared
    _shared = (tuple(trials), dict(histories), engine)
    try:
        if jobs == 1 or len(trials) == 1:
            return _counted(map(_try, range(len(trials))), progress)
        # Imported here: one run, which is the usual case, needs neither.
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # Forked children share the tapes with this process instead of getting a copy of each.
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as pool:
            return _counted(pool.map(_try, range(len(trials))), progress)
    finally:
        _shared = None


_shared: tuple[tuple[Trial, ...], dict[str, History], Engine] | None = None


def _counted(results: Iterable[Tried], progress: Callable[[int], None] | None) -> list[Tried]:
    found: list[Tried] = []
    for tried in results:
        found.append(tried)
        if progress is not None:
            progress(len(found))
    return found


def _try(place: int) -> Tried:
    assert _shared is not None
    trials, histories, engine = _shared
    trial = trials[place]
    try:
        ran = run_trial(trial, histories[trial.config.market], engine, kept=NEEDED)
        return Tried(outcome=outcome_of(ran))
    except GridkeeperError as refusal:
        return Tried(outcome=None, code=refusal.code, detail=str(refusal))
