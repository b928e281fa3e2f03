"""Each mutation fits the code and names a test that exists; the program that tries them tells right from wrong."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from faults import mutate
from support.source_tree import ROOT

PATCHES = [mutate.MUTATIONS / f"{name}.patch" for name in mutate.names()]

CODE = "def double(x):\n    return 2 * x\n"
TESTS = """
from code_under_test import double

def test_doubles():
    assert double(3) == 6

def test_nothing():
    assert True

def test_wrong():
    assert double(3) == 7
"""
PATCH = """# test: tests/test_double.py::{test}
--- a/libs/part/src/code_under_test.py
+++ b/libs/part/src/code_under_test.py
@@ -1,2 +1,2 @@
 def double(x):
-    return {old} * x
+    return 3 * x
"""


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_mutation_still_applies(patch: Path) -> None:
    mutate.apply(patch, ROOT, "--check")


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_mutation_names_a_test_that_exists(patch: Path) -> None:
    file, _, name = mutate.named_test(patch).partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))

    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

    assert name.partition("[")[0] in functions


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "libs/part/src").mkdir(parents=True)
    (root / "libs/part/src/code_under_test.py").write_text(CODE)
    (root / "tests").mkdir()
    (root / "tests/test_double.py").write_text(TESTS)
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-p no:pytest_anchorpy"\n')
    return root


@pytest.mark.parametrize(("test", "noticed"), [("test_doubles", True), ("test_nothing", False)])
def test_a_mutation_is_noticed_by_a_test_that_looks(tree: Path, test: str, noticed: bool) -> None:
    assert mutate.is_noticed(_patch(tree, test), tree) is noticed
    assert (tree / "libs/part/src/code_under_test.py").read_text() == CODE


def test_a_test_that_fails_anyway_proves_nothing(tree: Path) -> None:
    with pytest.raises(mutate.MutationError, match="pass without the mutation"):
        mutate.is_noticed(_patch(tree, "test_wrong"), tree)


def test_a_patch_that_does_not_fit_is_refused(tree: Path) -> None:
    with pytest.raises(mutate.MutationError, match="does not apply"):
        mutate.is_noticed(_patch(tree, "test_doubles", old=4), tree)


def _patch(tree: Path, test: str, old: int = 2) -> Path:
    patch = tree.parent / "mutation.patch"
    patch.write_text(PATCH.format(test=test, old=old))
    return patch
