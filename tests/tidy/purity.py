"""What the pure core may not do, found in its syntax: reach outside, ask the clock, roll dice, use floats."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from support.source_tree import SourceFile

# Modules of the standard library through which a result could depend on more than the arguments.
REACHES_OUTSIDE = {
    "asyncio", "concurrent", "ctypes", "fileinput", "getpass", "glob", "http", "importlib", "inspect", "locale",
    "logging", "mmap", "multiprocessing", "os", "pathlib", "pickle", "platform", "queue", "random", "sched", "secrets",
    "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time",
    "urllib", "uuid", "warnings", "zoneinfo",
}  # fmt: skip
_PACKAGES = {"gridkeeper_core", "msgspec"}
# `hash` of a text differs from process to process.
_CALLS = {"open", "print", "input", "eval", "exec", "__import__", "hash", "id", "breakpoint"}
_CLOCKS = {"now", "utcnow", "today"}
_EXACT_MATH = {"isqrt", "gcd", "lcm", "comb", "perm", "factorial", "prod"}


def impure_imports(file: SourceFile) -> Iterator[str]:
    """Anything but msgspec, the core itself and the harmless part of the standard library."""
    for number, module in imports_of(file):
        top = module.partition(".")[0]
        if top in REACHES_OUTSIDE or (top not in sys.stdlib_module_names and top not in _PACKAGES):
            yield f"{file.name}:{number}: imports {module}"


def impure_calls(file: SourceFile) -> Iterator[str]:
    """Files, consoles, clocks and what differs between two runs."""
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in _CALLS:
            yield f"{file.name}:{node.lineno}: calls {called.id}"
        if isinstance(called, ast.Attribute) and called.attr in _CLOCKS:
            yield f"{file.name}:{node.lineno}: asks the clock with {ast.unparse(called)}"


def floats(file: SourceFile) -> Iterator[str]:
    """Float literals, `float` itself, inexact mathematics, and `/` where nothing exact is imported.

    Asking whether something is a float, to refuse it, is what the rule wants.
    """
    is_exact = any(module in {"decimal", "fractions"} for _, module in imports_of(file))
    refused = {id(node) for node in _asked_of_isinstance(file)}
    for node in ast.walk(file.tree):
        what = None if id(node) in refused else _float_in(node)
        if what is None and not is_exact and _divides(node):
            what = "divides with /, which makes floats of integers"
        if what is not None:
            yield f"{file.name}:{getattr(node, 'lineno', 0)}: {what}"


def imports_of(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Line and module of every import in a file."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file.name}:{node.lineno}: import of a sibling by dots"
            yield node.lineno, node.module


def _asked_of_isinstance(file: SourceFile) -> Iterator[ast.AST]:
    for node in ast.walk(file.tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                yield from ast.walk(kinds)


def _divides(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)


def _float_in(node: ast.AST) -> str | None:
    match node:
        case ast.Constant(value=float() as value):
            return f"float literal {value}"
        case ast.Name(id="float"):
            return "float"
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if name not in _EXACT_MATH:
            return f"math.{name} is not exact"
        case _:
            return None
