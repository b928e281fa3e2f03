"""`gridkeeper backtest --vary`: many variants of a grid on the same data, side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gridkeeper_cli.backtest_command import progress_bar
from gridkeeper_cli.backtest_document import document_of
from gridkeeper_cli.backtest_plan import Options, trial_of
from gridkeeper_cli.grid_source import GridFile
from gridkeeper_cli.session import Session
from gridkeeper_cli.sweep_settings import Variant, axes_of, variants_of
from gridkeeper_cli.sweep_text import sweep_text
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import decimal_text
from gridkeeper_lab.compare import Score, Split, Spread, pareto_front, parts_of, score_of, spread_of, walked_forward
from gridkeeper_lab.outcome import Outcome
from gridkeeper_lab.trials import History, Trial, Tried, run_trials

Document = dict[str, Any]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """All variants of one grid file: what each came to, or why it could not be run."""

    grid_id: str
    variants: tuple[Variant, ...]
    outcomes: tuple[Outcome | None, ...]
    errors: tuple[tuple[str, str], ...]
    scores: tuple[Score | None, ...]
    front: tuple[int, ...]
    spread: Spread | None
    splits: tuple[Split, ...] = ()


def sweep(
    session: Session,
    files: Sequence[GridFile],
    known: dict[str, History],
    options: Options,
    *,
    vary: Sequence[str],
    splits: int,
    jobs: int | None,
    report: Path | None,
) -> None:
    """Run every combination, answer with a table or a document, and write the page if asked for."""
    axes = axes_of(vary)
    found = [
        _compared(file, variants_of(file, axes), known[file.config.market], options, splits=splits, jobs=jobs)
        for file in files
    ]
    session.answer(
        {"grids": [sweep_document(compared) for compared in found]},
        *(() if session.json else [part for compared in found for part in sweep_text(compared, options)]),
    )
    if report is not None:
        from gridkeeper_cli.report_sweep import write_sweep_report

        write_sweep_report(report, found, options)
        session.warn(f"the report is in {report}")


def sweep_document(compared: Compared) -> Document:
    """The comparison as data; every return stands beside the spread of all."""
    return {
        "grid": compared.grid_id,
        "variants": [_variant_document(compared, place) for place in range(len(compared.variants))],
        "pareto": list(compared.front),
        "spread": None if compared.spread is None else _spread_document(compared.spread),
        "walk_forward": [_split_document(split) for split in compared.splits],
    }


def _compared(
    file: GridFile, variants: list[Variant], history: History, options: Options, *, splits: int, jobs: int | None
) -> Compared:
    rows = len(history.tape)
    whole = _tried(variants, history, options, [(0, rows)], jobs)[0]
    parts = parts_of(rows, splits + 1) if splits else []
    by_part = _tried(variants, history, options, parts, jobs)
    scores = tuple(_score(tried) for tried in whole)
    return Compared(
        grid_id=file.config.grid_id,
        variants=tuple(variants),
        outcomes=tuple(tried.outcome for tried in whole),
        errors=tuple((tried.code, tried.detail) for tried in whole),
        scores=scores,
        front=tuple(pareto_front(scores)),
        spread=spread_of(scores),
        splits=tuple(walked_forward(parts, [[_score(tried) for tried in part] for part in by_part])),
    )


def _tried(
    variants: Sequence[Variant], history: History, options: Options, parts: Sequence[tuple[int, int]], jobs: int | None
) -> list[list[Tried]]:
    """What each variant came to on each part."""
    trials: list[Trial] = []
    made: list[list[Tried | None]] = []
    for first, end in parts:
        found = [_trial(variant, history, options, first, end) for variant in variants]
        trials += [trial for trial in found if isinstance(trial, Trial)]
        made.append([None if isinstance(trial, Trial) else trial for trial in found])
    if not trials:
        return [[tried for tried in part if tried is not None] for part in made]
    with progress_bar("variants", len(trials)) as tell:
        market = trials[0].config.market
        results = iter(run_trials(trials, {market: history}, jobs=jobs or os.cpu_count() or 1, progress=tell))
    return [[tried if tried is not None else next(results) for tried in part] for part in made]


def _trial(variant: Variant, history: History, options: Options, first: int, end: int) -> Trial | Tried:
    refusal = variant.error
    if variant.file is not None:
        try:
            return trial_of(variant.file, history, options, first, end)
        except GridkeeperError as error:
            refusal = error
    assert refusal is not None
    return Tried(outcome=None, code=refusal.code, detail=str(refusal))


def _score(tried: Tried) -> Score | None:
    return None if tried.outcome is None else score_of(tried.outcome)


def _variant_document(compared: Compared, place: int) -> Document:
    outcome, score = compared.outcomes[place], compared.scores[place]
    settings = {"settings": compared.variants[place].settings}
    if outcome is None or score is None:
        code, detail = compared.errors[place]
        return {**settings, "error": {"code": code, "detail": detail}}
    return {
        **settings,
        "return": _share(score.return_e6),
        "drawdown": _share(score.drawdown_e6),
        **document_of(outcome),
    }


def _spread_document(spread: Spread) -> Document:
    return {name.removesuffix("_e6"): _share(getattr(spread, name)) for name in spread.__struct_fields__}


def _split_document(split: Split) -> Document:
    return {
        "rows": list(split.rows),
        "next_rows": list(split.next_rows),
        "chosen": split.chosen,
        "return_before": _share(split.before.return_e6),
        "return_after": _share(split.after.return_e6),
        "drawdown_after": _share(split.after.drawdown_e6),
        "all_after": _spread_document(split.others),
    }


def _share(value_e6: int) -> str:
    return decimal_text(value_e6, 10**6)
