"""The workspace is what it says: each member typed, checked, and declaring exactly what it imports."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from support.source_tree import ROOT, manifest, members, package_of, python_files
from tidy.purity import imports_of

# Imported through the package that is declared, which re-exports their types.
_COME_WITH = {
    "gridkeeper-core": {"msgspec"},
    "driftpy": {"solders", "anchorpy", "anchorpy-core", "construct", "borsh-construct", "construct-typing"},
    "solana": {"solders"},
    "psycopg": {"psycopg-pool"},
}
_LAB_MAY_IMPORT = {"gridkeeper_lab", "gridkeeper_core", "msgspec", "numpy", "pyarrow"}

MEMBERS = list(members())


@pytest.mark.parametrize("member", MEMBERS, ids=package_of)
def test_a_member_is_typed_and_named_for_its_folder(member: Path) -> None:
    assert (member / "src" / package_of(member) / "py.typed").is_file()
    assert manifest(member)["project"]["name"] == package_of(member).replace("_", "-")


@pytest.mark.parametrize("member", MEMBERS, ids=package_of)
def test_a_member_supports_the_versions_of_the_whole(member: Path) -> None:
    assert manifest(member)["project"]["requires-python"] == manifest(ROOT)["project"]["requires-python"]


@pytest.mark.parametrize("member", MEMBERS, ids=package_of)
def test_a_member_declares_what_it_imports(member: Path) -> None:
    declared = _declared(member)
    allowed = declared.union(*(_COME_WITH.get(name, set()) for name in declared))
    imported = _distributions_imported(member)

    assert imported - allowed == set()


@pytest.mark.parametrize("member", MEMBERS, ids=package_of)
def test_the_types_of_a_member_are_checked(member: Path) -> None:
    mypy = manifest(ROOT)["tool"]["mypy"]

    assert package_of(member) in mypy["packages"]
    assert f"{member.relative_to(ROOT).as_posix()}/src" in mypy["mypy_path"]


@pytest.mark.parametrize("member", MEMBERS, ids=package_of)
def test_the_imports_of_a_member_are_checked(member: Path) -> None:
    rules = (ROOT / ".importlinter").read_text("utf-8")

    assert re.search(rf"^    {package_of(member)}$", rules, re.MULTILINE)


def test_the_lab_imports_only_the_core_numpy_and_a_reader_of_data() -> None:
    foreign = {
        f"{file.name}:{line}: {module}"
        for file in python_files("libs/lab/src")
        for line, module in imports_of(file)
        if _top(module) not in _LAB_MAY_IMPORT | sys.stdlib_module_names
    }

    assert foreign == set()


@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv")
def test_the_lock_file_is_in_step() -> None:
    # Offline the answer would depend on what is cached, so the network is allowed here.
    checked = subprocess.run(["uv", "lock", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


def _declared(member: Path) -> set[str]:
    requirements = manifest(member)["project"]["dependencies"]
    return {_normal(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in requirements}


def _distributions_imported(member: Path) -> set[str]:
    known = packages_distributions()
    tops = {
        _top(module)
        for file in python_files((member / "src").relative_to(ROOT).as_posix())
        for _, module in imports_of(file)
    }
    outside = {top for top in tops if top not in sys.stdlib_module_names and top != package_of(member)}
    return {_normal(known[top][0]) if top in known else _normal(top) for top in outside}


def _top(module: str) -> str:
    return module.partition(".")[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
