"""Makes the keys and passwords of a deployment in deploy/secrets, once; with --kubernetes or --production prints them.

--production: with the addresses and the authorities of deploy/k8s/overlays/production.
"""  # noqa: INP001

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from gridkeeper_bus.permissions import AUDITOR, PRODUCERS, SERVICES, authorization, new_seed, public_key
from gridkeeper_core.names import app_name
from gridkeeper_eventlog.roles import new_password
from gridkeeper_shell.provision import roles

FOLDER = Path(__file__).parent / "secrets"
ADMIN = "gridkeeper"
# What the URLs of a deployment begin and end with; `ca` and `sslrootcert` are mounted by the overlay.
NEAR = ("nats://", "nats:4222", "postgres:5432/gridkeeper")
FAR = (
    "tls://",
    "nats:4222?ca=/run/ca/nats.crt",
    "gridkeeper-rw:5432/gridkeeper?sslmode=verify-full&sslrootcert=/run/ca/postgres.crt",
)
SCHEME, NATS, DATABASE = FAR if "--production" in sys.argv else NEAR


def main() -> None:
    """Make what is missing; what is there is kept."""
    # The folder keeps others on this machine out. The files are readable to all, because a container sees them with the
    # owner they have here, and works as a user that exists only there.
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    seeds = {service: _kept(f"nats_nkey_{service}", new_seed) for service in SERVICES}
    admin = _kept("nats_password", new_password)
    users = {service: public_key(seed) for service, seed in seeds.items()}
    auditor = _kept("nats_password_auditor", new_password)
    _put("nats_users.conf", authorization(ADMIN, admin, users, auditor_password=auditor))
    _put("nats_admin_url", f"{SCHEME}{ADMIN}:{admin}@{NATS}")
    _put("nats_url_auditor", f"{SCHEME}{AUDITOR}:{auditor}@{NATS}")
    owner = _kept("postgres_password", new_password)
    _put("postgres_admin_url", f"postgresql://{ADMIN}:{owner}@{DATABASE}")
    passwords = {role: _kept(f"postgres_password_{role}", new_password) for role in roles(0)}
    _put("postgres_passwords.json", json.dumps(passwords))
    for service in PRODUCERS:
        role = app_name(service, 0)
        _put(f"postgres_url_{service}", f"postgresql://{role}:{passwords[role]}@{DATABASE}")
    _put("postgres_url_auditor", f"postgresql://{AUDITOR}:{passwords[AUDITOR]}@{DATABASE}")
    if {"--kubernetes", "--production"} & set(sys.argv):
        sys.stdout.write("---\n".join(_kubernetes()))
    else:
        sys.stdout.write(f"The secrets are in {FOLDER}.\n")


def _kubernetes() -> list[str]:
    manifests = []
    for service in SERVICES:
        entries = {"nats-url": SCHEME + NATS, "nats-nkey": _read(f"nats_nkey_{service}")}
        if service in PRODUCERS:
            entries["postgres-url"] = _read(f"postgres_url_{service}")
        if service == "notifier":
            entries["notify-urls"] = "{}"
        manifests.append(_secret(service.replace("_", "-"), entries))
    provision = {
        "nats-url": _read("nats_admin_url"),
        "postgres-url": _read("postgres_admin_url"),
        "passwords.json": _read("postgres_passwords.json"),
    }
    audit = {"nats-url": _read("nats_url_auditor"), "postgres-url": _read("postgres_url_auditor")}
    return [
        *manifests,
        _secret("provision", provision),
        _secret("audit", audit),
        _secret("nats-authorization", {"nats_users.conf": _read("nats_users.conf")}),
        _secret("postgres", {"password": _read("postgres_password")}),
    ]


def _secret(name: str, entries: dict[str, str]) -> str:
    # JSON is YAML.
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "gridkeeper"},
        "stringData": entries,
    }
    return json.dumps(manifest) + "\n"


def _kept(name: str, make: Callable[[], str]) -> str:
    if not (FOLDER / name).exists():
        _put(name, make())
    return _read(name)


def _read(name: str) -> str:
    return (FOLDER / name).read_text().strip()


def _put(name: str, text: str) -> None:
    path = FOLDER / name
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    path.chmod(0o444)


if __name__ == "__main__":
    main()
