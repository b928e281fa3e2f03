"""What README.md tells of the tree is there and complete, and its first screen says the main things."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from support.source_tree import ROOT

README = (ROOT / "README.md").read_text("utf-8")
FIRST_SCREEN = "\n".join(README.splitlines()[:40])
_TREE_HEADING = "## The tree"
_DRAWN_FOLDERS = ("libs", "services", "tests")


def test_every_path_of_the_drawn_tree_exists() -> None:
    missing = [path for path in _drawn(README) if not (ROOT / path).exists()]

    assert missing == []


@pytest.mark.parametrize("folder", _DRAWN_FOLDERS)
def test_no_part_is_left_out_of_the_drawn_tree(folder: str) -> None:
    there = {
        f"{folder}/{path.name}" for path in (ROOT / folder).iterdir() if path.is_dir() and path.name[0] not in "._"
    }

    assert there - set(_drawn(README)) == set()


def test_no_folder_or_file_of_the_root_is_left_out_of_the_drawn_tree() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    roots = {name.partition("/")[0] for name in tracked.splitlines()}

    assert {name for name in roots if not name.startswith(".")} - set(_drawn(README)) == set()


def test_a_path_that_is_drawn_below_a_folder_is_read_as_such() -> None:
    text = f"{_TREE_HEADING}\n\n```\nREADME.md  uv.lock\nlibs/\n  core/   rules of core/ words\n  a/  b/     two\n```\n"

    assert list(_drawn(text)) == ["README.md", "uv.lock", "libs", "libs/core", "libs/a", "libs/b"]


@pytest.mark.parametrize(
    "said",
    [
        "paused since 2026-04-01",
        "Velocity",
        "sandbox",
        "There is no place to trade\nreal money today",
        "price-feed ──PX──▶ strategy",
    ],
)
def test_the_first_screen_says_what_it_is_and_is_not(said: str) -> None:
    assert said in FIRST_SCREEN.replace("**", "")


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_first_screen_shows_the_command(target: str) -> None:
    assert re.search(rf"^make {target}\b", FIRST_SCREEN, re.MULTILINE)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)\b(?=[ `\n]|$)", README)) - {"sure"}))
def test_a_target_of_make_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def _drawn(readme: str) -> Iterator[str]:
    """The paths in the drawing; an entry ends where two spaces or the line do, and words follow more of them."""
    drawing = readme.partition(_TREE_HEADING)[2].split("```")[1].strip("\n")
    folder = ""
    for line in drawing.splitlines():
        is_below = line.startswith("  ")
        names = _names(line)
        if not is_below:
            folder = names[0].rstrip("/")
        for name in names:
            yield f"{folder}/{name.rstrip('/')}" if is_below else name.rstrip("/")


def _names(line: str) -> list[str]:
    names = []
    for part in re.split(r" {2,}", line.strip()):
        if " " in part or not (part.endswith("/") or "." in part or part in ("LICENSE", "Makefile")):
            break
        names.append(part)
    return names
