"""Breaks one rule of the product in a copy of the tree and demands that the test named for it notices.

`python tests/faults/mutate.py NAME|all` applies `mutations/NAME.patch`, whose first line is `# test: FILE::NAME`. It
ends with 0 when that test passes without the patch and fails with it, with 1 when it does not notice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUTATIONS = Path(__file__).resolve().parent / "mutations"
_HEADER = "# test: "
_COPIED = ("libs", "services", "tests", "deploy", "docs", "benchmarks", "pyproject.toml", ".importlinter", "README.md")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".hypothesis", ".pytest_cache")
_PASSED, _FAILED = 0, 1


class MutationError(Exception):
    """The experiment itself cannot be made: says nothing about the test."""


def names() -> list[str]:
    """Every mutation there is."""
    return sorted(path.stem for path in MUTATIONS.glob("*.patch"))


def named_test(patch: Path) -> str:
    """The test that must notice, such as `tests/unit/core/test_units.py::test_…`."""
    first = patch.read_text("utf-8").partition("\n")[0]
    if not first.startswith(_HEADER):
        raise MutationError(f"expected {patch.name} to open with '{_HEADER}FILE::NAME', was {first!r}")
    return first.removeprefix(_HEADER).strip()


def is_noticed(patch: Path, root: Path = ROOT) -> bool:
    """Whether the test passes in a copy of the tree and fails in the same copy with the patch.

    Raises MutationError when the patch does not apply, or the test cannot be run or fails without it.
    """
    test = named_test(patch)
    with tempfile.TemporaryDirectory(prefix="gk-mutate-") as folder:
        copy = Path(folder).resolve()
        _copy_tree(root, copy)
        if _run(copy, test) != _PASSED:
            raise MutationError(f"expected {test} to pass without the mutation")
        apply(patch, copy)
        ended = _run(copy, test)
    if ended not in (_PASSED, _FAILED):
        raise MutationError(f"expected {test} to pass or fail, was pytest's exit code {ended}")
    return ended == _FAILED


def apply(patch: Path, tree: Path, *options: str) -> None:
    """Apply a patch to a tree (`--check`: only see whether it would). Raises MutationError when it does not fit."""
    # Without the ceiling, git would take a repository around the tree for the one that is meant, and skip the patch.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    command = ["git", "apply", *options, str(patch)]
    ended = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise MutationError(f"{patch.name} does not apply: {ended.stderr.strip()}")


def _copy_tree(root: Path, copy: Path) -> None:
    for name in _COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=_NOT_COPIED)
        elif source.exists():
            shutil.copy2(source, copy / name)
    if (root / ".venv").exists():
        (copy / ".venv").symlink_to(root / ".venv")


def _run(tree: Path, test: str) -> int:
    # The environment's packages point to the real tree; PYTHONPATH comes before them, in child processes too.
    sources = [str(path) for path in (*tree.glob("libs/*/src"), *tree.glob("services/*/src"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    ended = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode not in (_PASSED, _FAILED):
        print(ended.stdout, ended.stderr, file=sys.stderr)
    return ended.returncode


def main(arguments: list[str]) -> int:
    """Try the mutations that are named; 0 when every one was noticed."""
    if arguments == ["--list"]:
        print("Name one with FAULT=, or all:", *names(), sep="\n  ")
        return 2
    wanted = names() if arguments == ["all"] else arguments
    unknown = sorted(set(wanted) - set(names()))
    if unknown or not wanted:
        print(f"no mutation {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    return max(_try(name) for name in wanted)


def _try(name: str) -> int:
    patch = MUTATIONS / f"{name}.patch"
    try:
        noticed = is_noticed(patch)
    except MutationError as e:
        print(f"{name}: {e}", file=sys.stderr)
        return 1
    print(f"{name}: {'noticed by' if noticed else 'NOT noticed by'} {named_test(patch)}", flush=True)
    return 0 if noticed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
