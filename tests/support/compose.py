"""Drives docker-compose.yml with podman-compose or Docker: builds, starts, asks inside of containers, stops."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

from support.source_tree import ROOT

PROJECT = "gridkeeper-test"
HEALTH_PORT = 9000
SERVICES = ("sandbox", "execution", "strategy", "ledger", "notifier", "price_feed")
_ASK = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
_PATIENCE_S = 300.0


class Compose:
    """The project's containers, under a name of their own so that nobody's demo is touched."""

    def __init__(self, *profiles: str) -> None:
        self._engine = "podman" if shutil.which("podman-compose") else "docker"
        command = ["podman-compose"] if self._engine == "podman" else ["docker", "compose"]
        self._command = [*command, "--project-name", PROJECT]
        # In a container, which this may well run in, podman builds with this kind of isolation only. Where layers are
        # whole copies (the storage driver vfs), keeping them fills the disk: BUILDAH_LAYERS=true is for the others.
        # Images of the other format that podman knows hold no health check.
        podman = {"BUILDAH_ISOLATION": "chroot", "BUILDAH_LAYERS": "false", "BUILDAH_FORMAT": "docker"}
        self._env = {**podman, **os.environ, "COMPOSE_PROFILES": ",".join(profiles)}

    def build(self) -> None:
        """Every image of ours, one after the other: all at once would need the disk for each step of each."""
        for service in (*SERVICES, "desk"):
            self._run("build", service, within_s=900)

    def up(self, *services: str) -> None:
        """Start these, or everything of the profiles, from the images that are there."""
        self._run("up", "--detach", "--no-build", *services, within_s=900)

    def stop(self, *services: str) -> None:
        """Ask these to end; one that does not in time is killed, as everywhere."""
        self._run("stop", *services, within_s=120)

    def down(self) -> None:
        """Remove containers, network and volumes."""
        self._run("down", "--volumes", within_s=600)

    def run(self, service: str, *command: str, within_s: float = 60) -> str:
        """What a command inside of a running container prints. Raises AssertionError when it fails."""
        return self._run("exec", "-T", service, *command, within_s=within_s)

    def run_once(self, service: str) -> str:
        """What a service that ends prints. Raises AssertionError when it fails."""
        return self._run("run", "--rm", "-T", service, within_s=300)

    def command(self, *words: str) -> Any:
        """What `gridkeeper` at the desk answers."""
        return json.loads(self.run("desk", "gridkeeper", *words, "--json", within_s=120))

    def get(self, service: str, path: str, port: int = HEALTH_PORT) -> str:
        """What the service answers over HTTP, asked from the desk. Raises AssertionError where it refuses."""
        return self.run("desk", "python", "-c", _ASK, f"http://{service}:{port}{path}")

    def state(self, service: str) -> tuple[str, int]:
        """How the container is (`running`, `exited`), and its last exit code."""
        found = self.inspect(service)["State"]
        return str(found["Status"]).lower(), int(found["ExitCode"])

    def is_healthy(self, service: str) -> bool:
        """What the image's own health check says; podman, which runs none without systemd, is asked to run it now."""
        if self._engine == "docker":
            return bool(self.inspect(service)["State"]["Health"]["Status"] == "healthy")
        checked = ["podman", "healthcheck", "run", self._name_of(service)]
        return subprocess.run(checked, capture_output=True, timeout=60, check=False).returncode == 0

    def inspect(self, service: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        asked = [self._engine, "inspect", self._name_of(service)]
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
        (found,) = json.loads(done.stdout)
        return dict(found)

    def logs(self, service: str) -> str:
        """What the container has said."""
        return self._run("logs", service, within_s=60)

    def _name_of(self, service: str) -> str:
        separator = "_" if self._engine == "podman" else "-"
        return f"{PROJECT}{separator}{service}{separator}1"

    def _run(self, *words: str, within_s: float) -> str:
        done = subprocess.run(
            [*self._command, *words], cwd=ROOT, env=self._env, capture_output=True, text=True, timeout=within_s
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it. Raises AssertionError when it does not come."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while not _is_so(holds):
        assert time.monotonic() < deadline_s, f"waited {_PATIENCE_S:.0f} s for {what}"
        time.sleep(1)


def _is_so(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except (AssertionError, subprocess.SubprocessError, json.JSONDecodeError):  # it is not there yet
        return False
