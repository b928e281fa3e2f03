"""The manifests of a cluster: valid by their schemas; every way between pods that is needed is open, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.deployment import DEPLOY, OVERLAYS, Manifest, missing, pods, rendered

_SCHEMAS = Path(__file__).parent / "cluster_schemas"
_FOREIGN = ("monitoring.coreos.com", "external-secrets.io", "postgresql.cnpg.io")
_PRODUCTION = DEPLOY / "k8s" / "overlays" / "production"
_OUTSIDE = "outside"

# Who calls whom: (from, to, port). What is not here must be shut. `outside` is anything that is not in the cluster.
_FLOWS = {
    (service, server, port)
    for service in ("strategy", "execution", "ledger", "notifier", "price-feed", "provision", "audit")
    for server, port in (("nats", 4222), ("postgres", 5432))
} | {
    ("execution", _OUTSIDE, 443),
    ("price-feed", _OUTSIDE, 443),
    ("notifier", _OUTSIDE, 443),
    ("notifier", _OUTSIDE, 465),
    ("notifier", _OUTSIDE, 587),
}
_DEMO_FLOWS = {("sandbox", "nats", 4222), ("execution", "sandbox", 8899), ("execution", "sandbox", 8900)}
_PRODUCTION_FLOWS = {("nats", "nats", 6222), ("postgres", "postgres", 5432), ("postgres", "postgres", 8000)}
_SERVER_LABELS = {"nats": {"app.kubernetes.io/name": "nats"}, "postgres": {"cnpg.io/cluster": "gridkeeper"}}


@pytest.fixture(params=OVERLAYS, ids=lambda path: path.name)
def overlay(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def manifests(overlay: Path) -> list[Manifest]:
    return rendered(overlay)


def test_manifests_are_valid(manifests: list[Manifest]) -> None:
    validate = _module("kubernetes_validate")
    for manifest in manifests:
        if not manifest["apiVersion"].startswith(_FOREIGN):
            validate.validate(manifest, "1.34", strict=True)


def test_manifests_of_operators_hold_only_keys_that_their_operators_know(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if manifest["apiVersion"].startswith(_FOREIGN):
            assert _faults(manifest, manifest["kind"]) == [], manifest["metadata"]["name"]


def test_the_values_for_the_nats_chart_hold_only_keys_that_it_knows() -> None:
    values = yaml.safe_load((_PRODUCTION / "nats-values.yaml").read_text())

    assert _faults(values, "nats-values") == []
    assert values["config"]["jetstream"]["merge"]["sync_interval"] == "always"
    assert values["config"]["cluster"]["replicas"] == 3


def test_a_key_that_no_operator_knows_is_found() -> None:
    backup = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 3 * * *", "cluster": {"name": "gridkeeper"}, "imediate": True},
    }

    assert len(_faults(backup, "ScheduledBackup")) == 2  # five fields where six are wanted, and a misspelt key


def test_the_servers_of_nats_find_their_users_where_the_secret_is_mounted() -> None:
    values = yaml.safe_load((_PRODUCTION / "nats-values.yaml").read_text())
    (mount,) = (patch["value"] for patch in values["container"]["patch"])
    included = values["config"]["merge"]["authorization"]["$include"]

    # The chart keeps its configuration in /etc/nats-config, and includes are looked for from there.
    assert (Path("/etc/nats-config") / included).parts[-3:] == (
        "..",
        mount["mountPath"].split("/")[-1],
        "nats_users.conf",
    )


def test_ways_between_pods_are_open_where_they_are_needed_and_nowhere_else(
    overlay: Path, manifests: list[Manifest]
) -> None:
    wanted = _FLOWS | (_PRODUCTION_FLOWS if overlay.name == "production" else _DEMO_FLOWS)
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    labels = {name: template["metadata"]["labels"] for name, template in _templates(manifests).items()}
    labels |= {name: own for name, own in _SERVER_LABELS.items() if name not in labels}
    asked = {port for _, _, port in wanted}

    opened = {
        (source, target, port)
        for source in labels
        for target in [*labels, _OUTSIDE]
        for port in asked
        if _leaves(policies, labels, source, target, port) and _enters(policies, labels, source, target, port)
    }

    # A shared rule may name a port that one of its services has no use for; it may not name a pod.
    assert wanted - opened == set()
    assert {(source, target) for source, target, _ in opened} == {(source, target) for source, target, _ in wanted} | (
        {("sandbox", "postgres")} if overlay.name == "demo" else set()
    )


def test_every_pod_that_speaks_to_another_may_ask_for_its_address(manifests: list[Manifest]) -> None:
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    dns = {"k8s-app": "kube-dns"}
    for name, template in _templates(manifests).items():
        labels = {name: template["metadata"]["labels"], "dns": dns}
        if labels[name].get("gridkeeper/service"):
            assert _leaves(policies, labels, name, "dns", 53), name


def _module(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        missing(f"{name} is not installed: uv sync --group deploy")


def _faults(document: object, schema: str) -> list[str]:
    jsonschema = _module("jsonschema")
    rules = yaml.safe_load((_SCHEMAS / f"{schema}.yaml").read_text())
    return [
        f"{fault.json_path}: {fault.message}" for fault in jsonschema.Draft202012Validator(rules).iter_errors(document)
    ]


def _templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: template for manifest, template in pods(manifests)}


def _leaves(policies: list[Manifest], labels: dict[str, Any], source: str, target: str, port: int) -> bool:
    return _passes(policies, labels, source, target, port, "egress")


def _enters(policies: list[Manifest], labels: dict[str, Any], source: str, target: str, port: int) -> bool:
    return target == _OUTSIDE or _passes(policies, labels, target, source, port, "ingress")


def _passes(policies: list[Manifest], labels: dict[str, Any], own: str, other: str, port: int, way: str) -> bool:
    """Whether a policy of this pod lets the other one through; without a rule nothing passes."""
    for policy in policies:
        if not _selects(policy["spec"]["podSelector"], labels[own]):
            continue
        for rule in policy["spec"].get(way, []):
            peers = rule.get("to" if way == "egress" else "from", [])
            if port in [entry["port"] for entry in rule["ports"]] and any(_is(peer, labels, other) for peer in peers):
                return True
    return False


def _is(peer: dict[str, Any], labels: dict[str, Any], other: str) -> bool:
    if other == _OUTSIDE:
        return "ipBlock" in peer
    return "podSelector" in peer and _selects(peer["podSelector"], labels[other])


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    lists = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted) and all(
        labels.get(entry["key"]) in entry["values"] for entry in lists
    )
