"""Writes docs/settings.md: every setting of a grid file and of gridkeeper.toml: default, unit, range and meaning."""

from __future__ import annotations

from itertools import groupby

from gridkeeper_cli.reference_configuration import configuration_part
from gridkeeper_core.grid.settings import DERIVED, EXAMPLE, REQUIRED, SETTINGS, Setting

_NOTICE = "<!-- Written by `make docs` from the code; a change made here by hand is lost. -->"
_OPENING = """\
A grid is described by one TOML file; `gridkeeper preview FILE` says what it would be, `gridkeeper grid create FILE`
opens it. Prices and amounts are decimal text in quotes (`"120.5"`), never TOML floats, which are not exact; counts are
whole numbers without quotes; durations are text with a unit (`ms`, `s`, `m`, `h`, `d`). A name that is not on this page
is refused."""


def settings_page() -> str:
    """docs/settings.md."""
    parts = [_NOTICE, "# Settings of a grid", _OPENING, f"```toml\n{EXAMPLE}```"]
    for table, settings in groupby(SETTINGS, key=lambda setting: setting.path.partition(".")[0]):
        parts += [f"## `[{table}]`", _table(list(settings))]
    parts.append(configuration_part())
    return "\n\n".join(parts) + "\n"


def _table(settings: list[Setting]) -> str:
    rows = [f"| {' | '.join(_row(setting))} |" for setting in settings]
    return "\n".join(["| setting | default | unit | allowed | meaning |", "| --- | --- | --- | --- | --- |", *rows])


def _row(setting: Setting) -> tuple[str, ...]:
    name = setting.path.partition(".")[2]
    return f"`{name}`", _default(setting), setting.unit, setting.range_text, setting.meaning.replace("|", "\\|")


def _default(setting: Setting) -> str:
    if setting.default is REQUIRED:
        return "required"
    if setting.default == DERIVED:
        return "left out"
    return f"`{setting.default}`" if setting.kind in ("count", "flag") else f'`"{setting.default}"`'
