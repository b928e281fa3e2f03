"""What every source file must keep, each rule as a function from a file to what it breaks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from support.source_tree import SourceFile

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

# Written in halves, so that this file does not hold what it looks for.
_WORDS = (
    r"\bTO" + r"DO\b",
    r"\bFIX" + r"ME\b",
    r"\bXX" + r"X\b",
    r"\bHA" + r"CK\b",
    r"(?i:\bfa" + r"rm\b)",
    r"(?i:\bcla" + r"ude\b)",
    r"(?i:\banth" + r"ropic\b)",
    r"(?i:\bai[- ]gen" + r"erated\b)",
    r"\bLL" + r"Ms?\b",
    r"(?i:\bwork" + r"place\b)",
    r"(?<![\w.])/wo" + r"rk/",
    r"(?<!\w)\.lib" + r"rary\b",
    r"/tmp/bri" + r"efs",
)
_BANNED = re.compile("|".join(_WORDS))
_DATA_PATH = "../sha" + "red"
_DATA_PATH_ALLOWED = ".ci/run"
_DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc"}

_MONEY = {
    "price", "prices", "size", "sizes", "quote", "amount", "amounts", "fee", "fees", "pnl", "profit", "equity",
    "collateral", "deposit", "funding", "capital", "held",
}  # fmt: skip
_HAS_UNIT = re.compile(r"(_e\d+|_lamports|_bps|_ns|_ms|_s|_count|_index|_ids?|_seq|_bytes)$")


def lines_too_many(file: SourceFile) -> Iterator[str]:
    """A file that does not fit in a head. The license is as long as it is."""
    is_code = file.name.endswith((".py", ".sql", ".sh")) or file.name == "Makefile"
    if is_code and len(file.lines) > FILE_LINES_MAX:
        yield f"{file.name}: {len(file.lines)} lines, at most {FILE_LINES_MAX}"


def functions_too_long(file: SourceFile) -> Iterator[str]:
    """A function over the hard limit."""
    for function in _functions(file):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_LINES_MAX:
            yield f"{file.name}:{function.lineno}: {function.name} has {length} lines, at most {FUNCTION_LINES_MAX}"


def docstring_missing(file: SourceFile) -> Iterator[str]:
    """A module opens with one sentence that says its single job."""
    doc = ast.get_docstring(file.tree)
    if doc is None:
        yield f"{file.name}: no module docstring"
    elif not doc.split("\n\n", maxsplit=1)[0].rstrip().endswith("."):
        yield f"{file.name}: the module docstring does not open with a sentence"


def banned_words(file: SourceFile) -> Iterator[str]:
    """Words of unfinished work, and of places and tools that are nobody's business here."""
    for number, line in enumerate(file.lines, start=1):
        if found := _BANNED.search(line):
            yield f"{file.name}:{number}: {found.group()!r}"
        if _DATA_PATH in line and file.name != _DATA_PATH_ALLOWED:
            yield f"{file.name}:{number}: {_DATA_PATH!r}"


def drawer_names(file: SourceFile) -> Iterator[str]:
    """A module or folder named for nothing collects everything."""
    for part in re.split(r"[/.]", file.name):
        if part in _DRAWERS:
            yield f"{file.name}: named {part!r}; name it for its job"


def money_without_unit(file: SourceFile) -> Iterator[str]:
    """A money field of a Struct says its unit, and is no float."""
    for class_ in (node for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef)):
        if not any("Struct" in ast.unparse(base) or ast.unparse(base) == "Fact" for base in class_.bases):
            continue
        for field in (node for node in class_.body if isinstance(node, ast.AnnAssign)):
            yield from _money_field(file, class_, field)


def _money_field(file: SourceFile, class_: ast.ClassDef, field: ast.AnnAssign) -> Iterator[str]:
    assert isinstance(field.target, ast.Name)
    name, kind = field.target.id, ast.unparse(field.annotation)
    if _MONEY.isdisjoint(name.split("_")):
        return
    where = f"{file.name}:{field.lineno}: {class_.name}.{name}"
    if re.search(r"\bfloat\b", kind):
        yield f"{where} is a float"
    # In a list of named numbers each name says the unit of its number.
    if re.search(r"\bint\b", kind.replace("tuple[str, int]", "")) and not _HAS_UNIT.search(name):
        yield f"{where} does not end with its unit"


def _functions(file: SourceFile) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
