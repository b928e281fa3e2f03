"""What is under deploy/, as tests look at it: rendered manifests, their containers, and programs that check them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.source_tree import ROOT

DEPLOY = ROOT / "deploy"
OVERLAYS = sorted(path.parent for path in (DEPLOY / "k8s").glob("overlays/*/kustomization.yaml"))

Manifest = dict[str, Any]


def program(name: str) -> str:
    """Where a checking program is; without it the test is skipped, and fails in continuous integration."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        missing(f"{name} is not installed")
    return str(found)


def missing(reason: str) -> None:
    """Skip, or in continuous integration fail: a check that nobody makes is none."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def rendered(overlay: Path) -> list[Manifest]:
    """Every manifest of an overlay, as kustomize makes them."""
    done = subprocess.run(
        [program("kubectl"), "kustomize", str(overlay)], capture_output=True, text=True, check=True, timeout=60
    )
    return list(yaml.safe_load_all(done.stdout))


def pods(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Each manifest that starts pods, with the template of its pod."""
    for manifest in manifests:
        if manifest["kind"] in ("StatefulSet", "Deployment", "Job"):
            yield manifest, manifest["spec"]["template"]
        elif manifest["kind"] == "CronJob":
            # As each Job that it starts.
            started = manifest["spec"]["jobTemplate"]["spec"]
            yield manifest | {"spec": started}, started["template"]


def containers(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Each container with the manifest it is in."""
    for manifest, template in pods(manifests):
        for container in [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]:
            yield manifest, container
