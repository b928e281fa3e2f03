"""Says which services `up` starts and with which settings; ports are kept, so that a restart comes back to them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gridkeeper_cli.gridkeeper_toml import SYNTHETIC, Configuration, replayed_files
from gridkeeper_cli.typical_markets import typical_market
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.files import write_private
from gridkeeper_runtime.ports import LOOPBACK, choose_port, is_free
from gridkeeper_runtime.supervisor import ChildSpec

SERVICES = ("sandbox", "notifier", "ledger", "execution", "strategy", "price_feed")
"""In the order of starting; they are stopped in the reverse order, so that the rest has time to finish."""
STOP_WITHIN_S = 8.0
_OURS = "GRIDKEEPER_"
_PORTS_FILE = "ports.json"
_RPC = "rpc"
_SYNTHETIC_MARKET: Mapping[str, object] = {"amplitude_e4": 300, "period_rows": 256, "interval_ms": 250}
"""Never far from its start, and over a level of the example grid every few seconds."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked `up` for. `hold_after`: rows of a tape after which it waits for leave (None: it does not)."""

    profile: str = "demo"
    speed: float = 1.0
    lockstep: bool = False
    hold_after: int | None = None


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """How the services reach the embedded servers: secrets."""

    nats_url: str
    postgres_url: str

    def __repr__(self) -> str:
        return "Servers(…)"


Ports = Mapping[str, int]
"""Service -> health port; `rpc` -> the sandbox's own, whose successor is for websockets."""


def settle_ports(data_dir: Path) -> Ports:
    """The ports of the last start where they are free, else others; kept in the data dir."""
    path = data_dir / _PORTS_FILE
    last = _last_ports(path)
    taken: set[int] = set()
    ports: dict[str, int] = {}
    for name in (*SERVICES, _RPC):
        width = 2 if name == _RPC else 1
        port = last.get(name, 0)
        while not port or not taken.isdisjoint(range(port, port + width)) or not _are_free(port, width):
            port = choose_port()
        ports[name] = port
        taken.update(range(port, port + width))
    if ports != last:
        write_private(path, msgspec.json.encode(ports))
    return ports


def rpc_url(ports: Ports) -> str:
    """Where the sandbox answers."""
    return f"http://{LOOPBACK}:{ports[_RPC]}"


def plan_children(
    data_dir: Path, wishes: Wishes, configuration: Configuration, ports: Ports, servers: Servers
) -> dict[str, ChildSpec]:
    """Every service with its whole environment, by name, in the order of starting."""
    is_tape = any(replayed_files(source) for source in configuration.feeds.values())
    shared = {"nats_url": servers.nats_url, "postgres_url": servers.postgres_url, "prepare": "true"}
    shell = {**shared, "is_tape": _flag(is_tape)}
    webhook = configuration.notify.webhook
    settings: dict[str, dict[str, str]] = {
        "sandbox": {
            "nats_url": servers.nats_url,
            "state_dir": str(data_dir / "sandbox"),
            "port": str(ports[_RPC]),
            "tape": _flag(is_tape and not wishes.lockstep),
            "lockstep": _flag(wishes.lockstep),
        },
        "notifier": {**shell, "data_dir": str(data_dir)}
        | ({"channels": "terminal,webhook", "webhook_url": webhook} if webhook else {}),
        "ledger": shell,
        "execution": {
            **shell,
            "rpc_url": _rpc_of_all(configuration, ports),
            "accounts": _accounts(configuration),
            "markets": ",".join(configuration.feeds),
            "on_request": _flag(wishes.lockstep),
        },
        "strategy": shell,
        "price_feed": {
            **shared,
            "data_dir": str(data_dir),
            "feeds": _feeds(configuration),
            "speed": str(wishes.speed),
            "lockstep": _flag(wishes.lockstep),
        }
        | ({} if wishes.hold_after is None else {"hold_after": str(wishes.hold_after)}),
    }
    return {name: _child(name, settings[name] | {"health_port": str(ports[name])}) for name in SERVICES}


def _child(name: str, settings: Mapping[str, str]) -> ChildSpec:
    prefix = f"{_OURS}{name.upper()}_"
    # Variables of ours that happen to be set in the user's shell must not reach a service.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    return ChildSpec(
        name=name,
        argv=(sys.executable, "-m", f"gridkeeper_{name}"),
        env=inherited | {prefix + key.upper(): value for key, value in settings.items()},
        stop_within_s=STOP_WITHIN_S,
    )


def _feeds(configuration: Configuration) -> str:
    """The price-feed's own form, with the tick and step of each market."""
    feeds: dict[str, dict[str, object]] = {}
    for market, source in configuration.feeds.items():
        spec = typical_market(market)
        synthetic = _SYNTHETIC_MARKET if source == SYNTHETIC else {}
        feeds[market] = {"source": source, "tick_e6": spec.tick_e6, "step_e9": spec.step_e9, **synthetic}
    return msgspec.json.encode(feeds).decode()


def _accounts(configuration: Configuration) -> str:
    accounts = {
        alias: {"authority": entry.authority, "signer": entry.signer, "sub_account": entry.sub_account}
        for alias, entry in configuration.accounts.items()
    }
    return msgspec.json.encode(accounts).decode()


def _rpc_of_all(configuration: Configuration, ports: Ports) -> str:
    """Execution speaks to one endpoint, and in the demo that is the sandbox: nothing else may get its orders."""
    for alias, entry in configuration.accounts.items():
        if entry.rpc not in ("", rpc_url(ports)):
            raise GridkeeperError(
                "BAD_VALUE",
                field=f"accounts.{alias}.rpc",
                value=entry.rpc,
                expected='rpc = "" (the sandbox)',
                detail="This release trades on its own sandbox only.",
            )
    return rpc_url(ports)


def _last_ports(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise GridkeeperError("BAD_FILE", field=str(path), do="Remove it.", detail=str(error)) from error


def _are_free(port: int, width: int) -> bool:
    return all(is_free(one) for one in range(port, port + width))


def _flag(value: bool) -> str:  # noqa: FBT001  # its only argument
    return "true" if value else "false"
