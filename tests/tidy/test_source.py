"""Every source file keeps the rules, and each rule finds what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.source_tree import SourceFile, python_files, text_files
from tidy import purity, rules

Rule = Callable[[SourceFile], Iterator[str]]

OF_TEXT: tuple[Rule, ...] = (rules.banned_words, rules.lines_too_many, rules.drawer_names)
OF_CODE: tuple[Rule, ...] = (rules.docstring_missing, rules.functions_too_long)
OF_STRUCTS: tuple[Rule, ...] = (rules.money_without_unit,)
OF_CORE: tuple[Rule, ...] = (purity.impure_imports, purity.impure_calls, purity.floats)

SECOND_HALF = "DO"


@pytest.mark.parametrize("rule", OF_TEXT)
def test_every_file_keeps(rule: Rule) -> None:
    findings = _broken(rule, text_files())

    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("rule", OF_CODE)
def test_every_module_keeps(rule: Rule) -> None:
    findings = _broken(rule, python_files())

    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("rule", OF_STRUCTS)
def test_every_struct_of_libs_and_services_keeps(rule: Rule) -> None:
    findings = _broken(rule, python_files("libs", "services"))

    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("rule", OF_CORE)
def test_the_core_keeps(rule: Rule) -> None:
    findings = _broken(rule, python_files("libs/core/src"))

    assert not findings, "\n".join(findings)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (rules.banned_words, "# TO" + SECOND_HALF + " later"),
        (rules.banned_words, "root = '/wo" + "rk/x'"),
        (rules.banned_words, "root = '../sha" + "red/data'"),
        (rules.lines_too_many, "x = 1\n" * (rules.FILE_LINES_MAX + 1)),
        (rules.docstring_missing, "x = 1\n"),
        (rules.docstring_missing, '"""a heading"""\n'),
        (rules.functions_too_long, "def f():\n" + "    x = 1\n" * rules.FUNCTION_LINES_MAX),
        (rules.money_without_unit, "class A(msgspec.Struct):\n    price: int\n"),
        (rules.money_without_unit, "class A(Fact, frozen=True):\n    fee: int | None = None\n"),
        (rules.money_without_unit, "class A(msgspec.Struct):\n    price_e6: float\n"),
        (purity.impure_imports, "import time\n"),
        (purity.impure_imports, "from os import path\n"),
        (purity.impure_imports, "import numpy\n"),
        (purity.impure_imports, "def f():\n    import random\n"),
        (purity.impure_calls, "open('x')\n"),
        (purity.impure_calls, "x = datetime.now(tz=UTC)\n"),
        (purity.impure_calls, "x = hash('a')\n"),
        (purity.floats, "x = 1.5\n"),
        (purity.floats, "def f(x: float): ...\n"),
        (purity.floats, "x = a / b\n"),
        (purity.floats, "x = isinstance(float(a), int)\n"),
        (purity.floats, "x = math.sqrt(2)\n"),
    ],
)
def test_the_rule_finds(rule: Rule, text: str) -> None:
    assert len(list(rule(SourceFile("a/b.py", text)))) == 1


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (rules.banned_words, "# a farmer's market, a method, to do"),
        (rules.docstring_missing, '"""Does one thing."""\n'),
        (rules.functions_too_long, "def f():\n" + "    x = 1\n" * (rules.FUNCTION_LINES_MAX - 1)),
        (
            rules.money_without_unit,
            "class A(msgspec.Struct):\n    price_e6: int\n    price_age_max_ns: int\n    fee: str\n",
        ),
        (purity.impure_imports, "import msgspec\nfrom collections import deque\n"),
        (purity.impure_calls, "x.opened(1)\n"),
        (purity.floats, "x = a // b\ny = math.isqrt(2)\n"),
        (purity.floats, "assert not isinstance(x, float)\n"),
        (purity.floats, "from decimal import Decimal\nx = Decimal(1) / Decimal(3)\n"),
    ],
)
def test_the_rule_lets_pass(rule: Rule, text: str) -> None:
    assert list(rule(SourceFile("a/b.py", text))) == []


def test_a_drawer_is_found_by_its_name() -> None:
    assert list(rules.drawer_names(SourceFile("libs/core/src/util" + "s.py", ""))) != []


def _broken(rule: Rule, files: list[SourceFile]) -> list[str]:
    assert files
    return [finding for file in files for finding in rule(file)]
