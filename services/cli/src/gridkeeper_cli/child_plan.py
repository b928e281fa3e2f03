"""Says which services `up` starts and with which settings; ports are kept, so that a restart comes back to them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gridkeeper_cli.access import Access
from gridkeeper_cli.gridkeeper_toml import (
    PYTH,
    SYNTHETIC,
    AccountEntry,
    Configuration,
    NotifyEntry,
    Profile,
    check_profile,
    replayed_files,
)
from gridkeeper_cli.typical_markets import typical_market
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.files import write_private
from gridkeeper_runtime.ports import LOOPBACK, choose_port, is_free
from gridkeeper_runtime.supervisor import ChildSpec

SERVICES = ("sandbox", "notifier", "ledger", "execution", "strategy", "price_feed")
"""In the order of starting; they are stopped in the reverse order, so that the rest has time to finish."""
STOP_WITHIN_S = 8.0
ENDPOINT_REQUESTS_PER_S = 10
SANDBOX_REQUESTS_PER_S = 200
_OURS = "GRIDKEEPER_"
_PORTS_FILE = "ports.json"
_RPC = "rpc"
_ACCOUNT_SETTINGS = (
    "authority", "signer", "sub_account",
    "settle_above", "max_gross", "max_per_market", "max_collateral_share",
)  # fmt: skip
_SYNTHETIC_MARKET: Mapping[str, object] = {"amplitude_e4": 300, "period_rows": 256, "interval_ms": 250}
"""Never far from its start, and over a level of the example grid every few seconds."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked `up` for. `hold_after`: rows of a tape after which it waits for leave (None: it does not).

    `scenario`: a file of what goes wrong on the sandbox.
    """

    profile: Profile = "demo"
    scenario: Path | None = None
    speed: float = 1.0
    lockstep: bool = False
    hold_after: int | None = None


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """Where the embedded servers are, and as whom each service may use them: secrets."""

    nats_port: int
    postgres_url: str
    access: Access

    def __repr__(self) -> str:
        return "Servers(…)"

    def settings_of(self, service: str) -> dict[str, str]:
        """How a service reaches them as itself."""
        return self.access.settings_of(service, self.nats_port, self.postgres_url)


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


def services_of(wishes: Wishes) -> tuple[str, ...]:
    """The services that are started, in that order: there is a sandbox only where nothing else is traded on."""
    return tuple(name for name in SERVICES if name != "sandbox" or wishes.profile != "drift")


def rpc_url(configuration: Configuration, ports: Ports) -> str:
    """Where the chain answers: the endpoint of the accounts, else the sandbox."""
    return _first(configuration).rpc or f"http://{LOOPBACK}:{ports[_RPC]}"


def plan_children(
    data_dir: Path, wishes: Wishes, configuration: Configuration, ports: Ports, servers: Servers
) -> dict[str, ChildSpec]:
    """Every service with its whole environment, by name, in the order of starting.

    Raises GridkeeperError BAD_VALUE, MISSING_KEY where the configuration does not suit the profile.
    """
    check_profile(configuration, wishes.profile)
    is_tape = any(replayed_files(source) for source in configuration.feeds.values())
    shell = {"is_tape": _flag(is_tape)}
    settings: dict[str, dict[str, str]] = {
        "sandbox": {
            "state_dir": str(data_dir / "sandbox"),
            "port": str(ports[_RPC]),
            "tape": _flag(is_tape and not wishes.lockstep),
            "lockstep": _flag(wishes.lockstep),
        }
        | _sandbox(wishes, configuration),
        "notifier": {**shell, "data_dir": str(data_dir), **_notify(configuration.notify)},
        "ledger": shell,
        "execution": {
            **shell,
            **_endpoint(wishes, configuration, ports),
            "accounts": _accounts(configuration),
            "markets": ",".join(configuration.feeds),
            "on_request": _flag(wishes.lockstep),
        },
        "strategy": shell,
        "price_feed": {
            "data_dir": str(data_dir),
            "feeds": _feeds(configuration),
            **_live_prices(configuration),
            "speed": str(wishes.speed),
            "lockstep": _flag(wishes.lockstep),
        }
        | ({} if wishes.hold_after is None else {"hold_after": str(wishes.hold_after)}),
    }
    return {
        name: _child(name, settings[name] | servers.settings_of(name) | {"health_port": str(ports[name])})
        for name in services_of(wishes)
    }


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


def _notify(entry: NotifyEntry) -> dict[str, str]:
    told = {
        "channels": ",".join(entry.channel_names()),
        "policy": msgspec.json.encode(entry.policy_words()).decode(),
        "alerts_port": str(entry.alerts_port),
        "alertmanager_silent_s": str(entry.alertmanager_silent_s),
    }
    if entry.channels:
        told["urls"] = msgspec.json.encode(entry.channels).decode()
    return told | ({"webhook_url": entry.webhook} if entry.webhook else {})


def _feeds(configuration: Configuration) -> str:
    """The price-feed's own form, with the tick and step of each market."""
    feeds: dict[str, dict[str, object]] = {}
    for market, source in configuration.feeds.items():
        spec = typical_market(market)
        own = _SYNTHETIC_MARKET if source == SYNTHETIC else {}
        if source == PYTH and market in configuration.prices.pyth_ids:
            own = {"feed_id": configuration.prices.pyth_ids[market]}
        feeds[market] = {"source": source, "tick_e6": spec.tick_e6, "step_e9": spec.step_e9, **own}
    return msgspec.json.encode(feeds).decode()


def _live_prices(configuration: Configuration) -> dict[str, str]:
    """Where the price-feed reads prices from outside; what is not said is its own default."""
    account, prices = _first(configuration), configuration.prices
    rpc, rpc2 = (prices.rpc, "") if prices.rpc else (account.rpc, account.rpc2)
    found = {"hermes_url": prices.hermes, "rpc_url": rpc, "rpc2_url": rpc2}
    return {name: value for name, value in found.items() if value}


def _sandbox(wishes: Wishes, configuration: Configuration) -> dict[str, str]:
    entry = configuration.sandbox
    scenario = wishes.scenario or (Path(entry.scenario).expanduser() if entry.scenario else None)
    told = {
        "fill_model": entry.fill_model,
        "queue_ahead_e4": str(entry.queue_ahead_e4),
        "spread_bps": str(entry.spread_bps),
    }
    if scenario is None:
        return told
    if not scenario.is_file():
        raise GridkeeperError("BAD_FILE", field="scenario", value=scenario, expected="a file of faults")
    return {**told, "scenario": str(scenario.absolute())}


def _endpoint(wishes: Wishes, configuration: Configuration, ports: Ports) -> dict[str, str]:
    """How execution reaches the chain; all accounts do it in one way (`check_profile`)."""
    account = _first(configuration)
    usual = ENDPOINT_REQUESTS_PER_S if wishes.profile == "drift" else SANDBOX_REQUESTS_PER_S
    found = {
        "rpc_url": rpc_url(configuration, ports),
        "priority_fee": account.priority_fee,
        "lookup_tables": ",".join(account.lookup_tables),
        "requests_per_s": str(account.rate_limit or usual),
    }
    return found | ({"rpc2_url": account.rpc2} if account.rpc2 else {})


def _accounts(configuration: Configuration) -> str:
    accounts = {
        alias: {name: getattr(entry, name) for name in _ACCOUNT_SETTINGS if getattr(entry, name)}
        | {"owner_key": entry.may_be_owner}
        for alias, entry in configuration.accounts.items()
    }
    return msgspec.json.encode(accounts).decode()


def _first(configuration: Configuration) -> AccountEntry:
    return next(iter(configuration.accounts.values()))


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
