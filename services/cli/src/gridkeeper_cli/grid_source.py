"""Reads a grid file: its text and what it says."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.parse import parse_grid


class GridFile(msgspec.Struct, frozen=True, kw_only=True):
    """A grid file: its text and what it says."""

    source: str
    config: GridConfig


def read_grid_file(path: Path) -> GridFile:
    """Raises GridkeeperError BAD_FILE, and what `parse_grid` raises."""
    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise GridkeeperError("BAD_FILE", field="GRID.toml", value=path, detail=f"The file cannot be read: {e}") from e
    return GridFile(source=source, config=parse_grid(source))
