"""A real Prometheus and Alertmanager that watch a running Gridkeeper, with the project's own rules."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import yaml

from gridkeeper_runtime.ports import choose_port
from support.whole_system import WholeSystem

DEPLOY = Path(__file__).parents[2] / "deploy"
# Waiting minutes shows nothing that seconds do not: how long is tested by promtool on the rules as they are.
_FOR = re.compile(r"^(\s+for: )\d+[smh]$", re.MULTILINE)


class Monitoring:
    """Both servers; `alerts` is what Prometheus says is firing."""

    def __init__(self, url: str) -> None:
        self._url = url

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        with urlopen(f"{self._url}/api/v1/alerts", timeout=5) as answer:
            alerts = json.load(answer)["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def value(self, query: str) -> float | None:
        """The newest value of a series, None where there is none."""
        with urlopen(f"{self._url}/api/v1/query?query={quote(query)}", timeout=5) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return float(result[0]["value"][1]) if result else None


@contextmanager
def watching(system: WholeSystem, folder: Path, alerts_port: int) -> Iterator[Monitoring]:
    """Prometheus and Alertmanager until the block ends."""
    folder.mkdir()
    prometheus, alertmanager = choose_port(), choose_port()
    (folder / "rules").mkdir()
    for path in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        (folder / "rules" / path.name).write_text(_FOR.sub(r"\g<1>1s", path.read_text()))
    ports = {name: service.health_port for name, service in system.run_file.services.items()}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_prometheus(folder, ports, alertmanager)))
    (folder / "alertmanager.yml").write_text(_alertmanager(alerts_port))
    with ExitStack() as stack:
        for argv in (
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            ],
            [
                "prometheus-alertmanager",
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{alertmanager}",
                "--cluster.listen-address=",
            ],
        ):
            log = stack.enter_context((folder / f"{argv[0]}.log").open("wb"))
            process = subprocess.Popen(argv, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield Monitoring(f"http://127.0.0.1:{prometheus}")


def _prometheus(folder: Path, ports: Mapping[str, int], alertmanager: int) -> dict[str, object]:
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules" / "*.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
        "scrape_configs": [
            {
                "job_name": f"gridkeeper-{name.replace('_', '-')}",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            }
            for name, port in ports.items()
        ],
    }


def _alertmanager(alerts_port: int) -> str:
    held = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    held["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{alerts_port}/alertmanager"
    held["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    return str(yaml.safe_dump(held))
