"""`gridkeeper preview --suggest`: a grid file with a range and a spacing that history and costs suggest."""

from __future__ import annotations

from rich.console import RenderableType

from gridkeeper_cli.documents import Document, iso_utc
from gridkeeper_cli.grid_file import GridFile, Previewed
from gridkeeper_cli.preview_document import percent
from gridkeeper_cli.preview_history import Read
from gridkeeper_cli.render import facts
from gridkeeper_core.grid.expectation import COST_LEAST_E6
from gridkeeper_core.grid.file_text import with_settings
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.grid.suggest import HIGH_PERCENT, LOW_PERCENT, Suggestion, suggest
from gridkeeper_core.units import e6_text


def answer(file: GridFile, previewed: Previewed, read: Read) -> tuple[Document, list[RenderableType]]:
    """The document, and what a person reads: why, and the file."""
    made = suggest(read.history, previewed.preview.spec, previewed.preview.expectation.cost_ratio_e6)
    text = with_settings(
        file.source,
        {
            "grid.lower": e6_text(made.lower_e6),
            "grid.upper": e6_text(made.upper_e6),
            "grid.intervals": made.intervals,
            "grid.spacing": "geometric",
            "grid.levels": None,
        },
    )
    parse_grid(text)  # what is suggested has to be a file that could be used
    notes = _notes(previewed, read, made)
    document: Document = {
        "suggestion": {
            "lower": e6_text(made.lower_e6),
            "upper": e6_text(made.upper_e6),
            "intervals": made.intervals,
            "spacing_ratio": e6_text(made.spacing_ratio_e6),
            "cost_ratio": e6_text(made.cost_ratio_e6),
            "sigma_day": e6_text(made.history.sigma_day_e6),
            "from": iso_utc(made.history.first_ns),
            "to": iso_utc(made.history.last_ns),
            "last_price": e6_text(read.last_e6),
            "notes": notes,
        },
        "file": text,
    }
    return document, [facts(_why(made)), *notes, "", text]


def _why(made: Suggestion) -> list[tuple[str, str]]:
    within = HIGH_PERCENT - LOW_PERCENT
    costs = "ten times the costs"
    if made.cost_ratio_e6 < COST_LEAST_E6:
        costs += f", which are taken to be {percent(COST_LEAST_E6)} at least"
    return [
        ("recorded", f"{iso_utc(made.history.first_ns)} to {iso_utc(made.history.last_ns)}"),
        ("sigma", f"{percent(made.history.sigma_day_e6)} a day"),
        ("range", f"{e6_text(made.lower_e6)} to {e6_text(made.upper_e6)}: the price was inside {within} % of the time"),
        ("costs of a turn", percent(made.cost_ratio_e6)),
        ("spacing", f"{percent(made.spacing_ratio_e6)} or more: {costs}; {made.intervals} intervals"),
    ]


def _notes(previewed: Previewed, read: Read, made: Suggestion) -> list[str]:
    notes = ["Nothing was applied. The past says little about where the price will be: look at it with `preview`."]
    if not made.lower_e6 <= read.last_e6 <= made.upper_e6:
        notes.append(f"The last recorded price, {e6_text(read.last_e6)}, lies outside of this range.")
    if previewed.note:
        notes.append(f"Note: {previewed.note}.")
    return notes
