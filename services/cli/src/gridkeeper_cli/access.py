"""The keys and passwords by which the embedded servers know each service, made once and kept in the data dir."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gridkeeper_bus.permissions import PRODUCERS, SERVICES, authorization, new_seed, public_key
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import app_name
from gridkeeper_eventlog.roles import as_role, new_password
from gridkeeper_runtime.files import write_private
from gridkeeper_runtime.ports import LOOPBACK
from gridkeeper_shell.provision import roles

FILE = "access.json"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """`seeds`: service -> the seed of its nkey; `passwords`: database role -> password. All of it is secret."""

    seeds: dict[str, str]
    passwords: dict[str, str]

    def __repr__(self) -> str:
        return "Access(…)"

    def nats_authorization(self, admin: str, password: str) -> str:
        """What the configuration of NATS says about users."""
        return authorization(admin, password, {service: public_key(seed) for service, seed in self.seeds.items()})

    def settings_of(self, service: str, nats_port: int, postgres_url: str) -> dict[str, str]:
        """How a service reaches the servers as itself."""
        found = {"nats_url": f"nats://{LOOPBACK}:{nats_port}", "nats_nkey": self.seeds[service]}
        if service in PRODUCERS:
            role = app_name(service, 0)
            found["postgres_url"] = as_role(postgres_url, role, self.passwords[role])
        return found


def settle_access(data_dir: Path) -> Access:
    """What the data dir has, made where it is missing. Raises GridkeeperError BAD_FILE."""
    path = data_dir / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Access)
    except FileNotFoundError:
        made = Access(
            seeds={service: new_seed() for service in SERVICES}, passwords={role: new_password() for role in roles(0)}
        )
        write_private(path, msgspec.json.encode(made))
        return made
    except msgspec.MsgspecError as error:
        raise GridkeeperError(
            "BAD_FILE", field=str(path), do="Remove it: new keys are made.", detail=str(error)
        ) from error
