"""The page of faults names tests and mutations that exist, for every kind of fault, and none of them shows nothing."""

from __future__ import annotations

import ast
import re

import msgspec
import pytest

from faults import mutate
from support.source_tree import ROOT

FAULTS = 26
_NAME = re.compile(r"`([^`]+)`")


class Row(msgspec.Struct, frozen=True):
    """One line of the table."""

    fault: str
    promises: str
    tests: tuple[str, ...]
    mutations: tuple[str, ...]


def rows(text: str) -> list[Row]:
    """The numbered lines."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0].isdigit():
            _, fault, promises, tests, mutations = cells
            found.append(Row(fault, promises, tuple(_NAME.findall(tests)), tuple(_NAME.findall(mutations))))
    return found


ROWS = rows((ROOT / "docs" / "faults.md").read_text("utf-8"))


def test_every_kind_of_fault_has_its_line() -> None:
    assert len(ROWS) == FAULTS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_what_shows_a_promise_exists(row: Row) -> None:
    assert row.tests
    for test in row.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions, test


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_mutation_makes_one_of_these_tests_fail(row: Row) -> None:
    assert row.mutations
    for mutation in row.mutations:
        named = mutate.named_test(mutate.MUTATIONS / f"{mutation}.patch").partition("[")[0]
        assert named in row.tests, mutation


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_promise_is_one_of_those_that_are_written_down(row: Row) -> None:
    assert re.fullmatch(r"P[1-9]( P[1-9])*", row.promises)
