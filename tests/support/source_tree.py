"""The project's own files, read once, for the tests that check them."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = (".ci", "benchmarks", "deploy", "docs", "libs", "services", "tests")
_SKIPPED = {"__pycache__", "node_modules", "build", "dist"}
_BINARY = {".gz", ".parquet", ".png", ".ico", ".woff2", ".db", ".so", ".pyc", ".bin"}


class SourceFile:
    """One text file; `name` is its path below the root."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    @cached_property
    def lines(self) -> list[str]:
        """Without line ends."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python file."""
        return ast.parse(self.text, self.name)


def text_files() -> list[SourceFile]:
    """Every text file of the project except the lock file, in the order of their names."""
    paths = [path for path in ROOT.iterdir() if path.is_file() and path.name != "uv.lock"]
    for folder in _FOLDERS:
        paths += [path for path in (ROOT / folder).rglob("*") if path.is_file() and not _is_skipped(path)]
    return [SourceFile(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in sorted(paths)]


def python_files(*folders: str) -> list[SourceFile]:
    """The Python files below some folders (all of the project's when none is named)."""
    prefixes = tuple(f"{folder}/" for folder in folders) or ("",)
    return [file for file in text_files() if file.name.endswith(".py") and file.name.startswith(prefixes)]


def members() -> Iterator[Path]:
    """The folder of each workspace member."""
    for manifest in sorted((*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml"))):
        yield manifest.parent


def manifest(folder: Path) -> dict[str, Any]:
    """A parsed pyproject.toml."""
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


def package_of(member: Path) -> str:
    """`libs/core` -> `gridkeeper_core`."""
    return f"gridkeeper_{member.name}"


def _is_skipped(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return path.suffix in _BINARY or any(part in _SKIPPED or part.endswith(".egg-info") for part in parts)
