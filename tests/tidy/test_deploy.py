"""Nothing under deploy/ names what the code does not have: images, variables, secrets, metrics, pages."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from gridkeeper_cli.reference_metrics import PLACES, metrics_of, monitoring_rules, series_names
from gridkeeper_runtime.life import GRACE_S, LAST_WORD_S
from gridkeeper_runtime.settings import Settings, read_settings
from support.deployment import DEPLOY, OVERLAYS, Manifest, containers, pods, program, rendered
from support.source_tree import ROOT

SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").exists())
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
DATA_DIR = "GRIDKEEPER_DATA_DIR"
_NAME = re.compile(r"gridkeeper_[a-z_]+")


def alerts() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from (rule for rule in group["rules"] if "alert" in rule)


def metric_names() -> set[str]:
    """Every series the code declares, as Prometheus shows them."""
    return {name for package in PLACES for metric in metrics_of(package) for name in series_names(metric)}


@pytest.mark.parametrize(
    "path", [*RULES, *sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))], ids=lambda p: p.name
)
def test_every_metric_that_is_looked_at_exists(path: Path) -> None:
    text = path.read_text()
    asked = set(_NAME.findall(text)) if path.suffix == ".yml" else set(_NAME.findall(" ".join(expressions(text))))

    assert asked
    assert asked <= metric_names()


def expressions(dashboard: str) -> list[str]:
    return [target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel["targets"]]


def test_every_expression_of_a_dashboard_is_one(tmp_path: Path) -> None:
    boards = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
    asked = [of for board in boards for of in expressions(board.read_text())]
    rules = [{"record": f"board:{number}", "expr": of.replace("$grid", "example")} for number, of in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not [of for of in asked if "$" in of.replace("$grid", "")], "a variable that no dashboard has"


def test_every_alert_has_a_page_that_says_what_to_do_and_every_page_an_alert() -> None:
    pages = {alert["annotations"]["runbook_url"] for alert in alerts()}

    assert pages == {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    for page in pages:
        text = (ROOT / page).read_text()
        assert [part in text for part in ("## How to look", "## What to do", "## How to go back")] == [True] * 3, page


def test_every_alert_is_tried_in_a_test_of_its_own() -> None:
    tried = set()
    for path in (DEPLOY / "prometheus" / "tests").glob("*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            tried |= {check["alertname"] for check in case["alert_rule_test"] if check["exp_alerts"]}

    assert tried == {alert["alert"] for alert in alerts()}


def test_every_alert_says_how_bad_it_is_in_words_for_a_person() -> None:
    for alert in alerts():
        assert alert["labels"]["severity"] in ("warning", "critical", "none"), alert["alert"]
        assert alert["annotations"]["summary"].endswith("."), alert["alert"]


def test_the_cluster_has_the_same_rules() -> None:
    held = (DEPLOY / "k8s" / "components" / "monitoring" / "rules.yaml").read_text()

    assert held == monitoring_rules(RULES), "run `make docs`"


def test_the_rules_fire_on_what_they_are_for() -> None:
    tests = [str(path) for path in sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))]
    done = subprocess.run(
        [program("promtool"), "test", "rules", *tests], capture_output=True, text=True, check=False, timeout=120
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_takes_its_configuration() -> None:
    file = str(DEPLOY / "alertmanager" / "alertmanager.yml")
    done = subprocess.run(
        [program("amtool"), "check-config", file], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- containers


def test_whoever_stops_a_service_waits_longer_than_its_end_may_take() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    waits_s = [float(s["stop_grace_period"].removesuffix("s")) for s in compose["services"].values() if "build" in s]
    pods_wait_s = [
        t["spec"].get("terminationGracePeriodSeconds", 30) for _, t in pods(rendered(OVERLAYS[0])) if _is_probed(t)
    ]

    assert GRACE_S < LAST_WORD_S < min(waits_s)
    assert min(pods_wait_s) > LAST_WORD_S


def _is_probed(template: Manifest) -> bool:
    return "readinessProbe" in template["spec"]["containers"][0]


@pytest.fixture(params=OVERLAYS, ids=lambda path: path.name)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(request.param)


def ours(container: dict[str, Any]) -> bool:
    return "gridkeeper" in container["image"]


def test_every_image_is_one_of_ours_or_has_a_version(manifests: list[Manifest]) -> None:
    for _, container in containers(manifests):
        name = container["image"].rpartition("/")[2].partition(":")[0].removeprefix("gridkeeper-").replace("-", "_")
        assert (ours(container) and name in SERVICES) or ":" in container["image"], container["image"]


def test_every_service_can_read_its_settings_from_its_manifest(manifests: list[Manifest], tmp_path: Path) -> None:
    held = {name: text for m in manifests if m["kind"] == "ConfigMap" for name, text in m.get("data", {}).items()}
    for _, container in containers(manifests):
        if ours(container):
            given = {variable["name"]: _given(variable, held) for variable in container.get("env", [])}
            check_settings(given, tmp_path)


def _given(variable: dict[str, Any], held: dict[str, str]) -> str:
    return str(variable["value"]) if "value" in variable else held[variable["valueFrom"]["configMapKeyRef"]["key"]]


def test_every_service_can_read_its_settings_from_the_compose_file(tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in services.values():
        given = {name: str(value) for name, value in service.get("environment", {}).items()}
        check_settings(given, tmp_path)


def test_every_service_has_the_settings_that_its_container_is_started_with(tmp_path: Path) -> None:
    entrypoint = (DEPLOY / "entrypoint").read_text()
    for prefix, kind in settings_by_prefix():
        if "PROVISION" not in prefix:
            fields = {field.name for field in msgspec.structs.fields(kind)}
            asked = {name.lower() for name in re.findall(r"\$\{name\}_([A-Z_]+)=", entrypoint)}
            assert asked == {"health_host", "health_port"}
            assert asked <= fields, prefix


def check_settings(given: dict[str, str], folder: Path) -> None:
    """Read them as the service would, with something like a secret where it has a secret's file."""
    ours_ = {name: text for name, text in given.items() if name.startswith("GRIDKEEPER_") and name != DATA_DIR}
    for prefix, kind in settings_by_prefix():
        mine = {name: text for name, text in ours_.items() if name.startswith(prefix)}
        for name in [name for name in mine if name.endswith("_FILE")]:
            file = folder / name
            file.write_text("{}" if name.endswith(("ACCOUNTS_FILE", "URLS_FILE", "PASSWORDS_FILE")) else "secret")
            mine[name] = str(file)
        if mine:
            read_settings(kind, prefix, mine)
            ours_ = {name: text for name, text in ours_.items() if not name.startswith(prefix)}
    assert ours_ == {}


def settings_by_prefix() -> Iterator[tuple[str, type[Settings]]]:
    for module in [*(f"gridkeeper_{name}.config" for name in SERVICES if name != "cli"), "gridkeeper_shell.provision"]:
        found = importlib.import_module(module)
        (kind,) = (
            value
            for value in vars(found).values()
            if isinstance(value, type)
            and issubclass(value, Settings)
            and value.__module__ == module
            and value.__name__.endswith("Settings")
            and not value.__name__.startswith("Account")
        )
        yield found.PREFIX, kind


def test_probes_ask_what_a_service_answers(manifests: list[Manifest]) -> None:
    for _, container in containers(manifests):
        if not ours(container):
            continue
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe in container:
                asked = container[probe]["httpGet"]
                assert asked["path"] in ("/livez", "/readyz")
                assert ports[asked["port"]] == 9000
    assert "HEALTH_PORT=9000" in (DEPLOY / "entrypoint").read_text()


def test_every_secret_that_is_mounted_is_made(manifests: list[Manifest]) -> None:
    made = {m["metadata"]["name"] for m in manifests if m["kind"] == "ExternalSecret"}
    if not made:
        made = secrets_made()
    for manifest, _ in containers(manifests):
        for volume in manifest["spec"]["template"]["spec"].get("volumes", []):
            if "secret" in volume:
                assert volume["secret"]["secretName"] in made, volume


def test_a_production_pod_is_told_whom_to_trust_where_the_urls_look_for_it() -> None:
    (production,) = (overlay for overlay in OVERLAYS if overlay.name == "production")
    named = set(re.findall(r"=(/run/ca/[a-z.]+)", (DEPLOY / "make_secrets.py").read_text()))
    assert len(named) == 2
    for manifest, template in pods(rendered(production)):
        (volume,) = (volume for volume in template["spec"]["volumes"] if volume["name"] == "ca")
        (container,) = template["spec"]["containers"]
        (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "ca")
        files = [item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]]
        assert {f"{mount['mountPath']}/{file}" for file in files} == named, manifest["metadata"]["name"]


def test_every_module_that_a_manifest_starts_exists(manifests: list[Manifest]) -> None:
    for _, container in containers(manifests):
        command = container.get("command", [])
        if command[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(command[2]) is not None, command


def secrets_made() -> set[str]:
    """The names that `make_secrets.py --kubernetes` prints; read from its text, so that no secret is made here."""
    text = (DEPLOY / "make_secrets.py").read_text()
    return {name.replace("_", "-") for name in SERVICES} | set(re.findall(r'_secret\("([a-z-]+)"', text))


def test_no_pod_is_root_or_writes_to_its_image_or_speaks_to_the_cluster(manifests: list[Manifest]) -> None:
    for manifest, container in containers(manifests):
        pod = manifest["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        assert not pod["enableServiceLinks"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert container["resources"]["limits"]["memory"]


def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run(
        [program("hadolint"), str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout
