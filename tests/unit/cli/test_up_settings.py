"""What `up` reads, writes and starts: configuration, example grid, ports, and each service's environment."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import msgspec
import pytest

from gridkeeper_cli.access import Access
from gridkeeper_cli.account_file import check_signers
from gridkeeper_cli.child_plan import SERVICES, Servers, Wishes, plan_children, settle_ports
from gridkeeper_cli.demo import example_text, make_demo_files
from gridkeeper_cli.gridkeeper_toml import (
    Configuration,
    NotifyEntry,
    Profile,
    check_profile,
    parse_configuration,
    read_configuration,
)
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_drift.keys import load_signer, make_key_file
from gridkeeper_runtime.supervisor import ChildSpec

ACCOUNT = '[accounts.main]\nauthority = "A"\nsigner = "file:/k"\n'
FEEDS = '[feeds]\nSOL-PERP = "synthetic"\n'
ACCESS = Access(
    seeds={service: f"SU-{service}" for service in SERVICES},
    passwords={f"{service}_0": f"password-of-{service}" for service in SERVICES},
)
SERVERS = Servers(
    nats_port=4222, postgres_url="postgresql://gridkeeper:of-the-admin@127.0.0.1/gridkeeper", access=ACCESS
)
PORTS = {name: 20_000 + number for number, name in enumerate((*SERVICES, "rpc"))}


def configuration(source: str = "synthetic") -> Configuration:
    text = ACCOUNT + f'[feeds]\nSOL-PERP = "{source}"\n'
    return parse_configuration(text, Path("/x/gridkeeper.toml"))


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("[accounts", "BAD_TOML", "/x/g.toml"),
        (FEEDS, "MISSING_KEY", "accounts"),
        (ACCOUNT, "MISSING_KEY", "feeds"),
        (ACCOUNT + "[feeds]\n", "MISSING_KEY", "feeds"),
        (ACCOUNT + FEEDS + "[other]\n", "UNKNOWN_KEY", "other"),
        ('[accounts.main]\nsigner = "file:/k"\n' + FEEDS, "MISSING_KEY", "accounts[...].authority"),
        (ACCOUNT + 'key = "x"\n' + FEEDS, "UNKNOWN_KEY", "accounts[...].key"),
        (ACCOUNT + "sub_account = true\n" + FEEDS, "BAD_VALUE", "accounts[...].sub_account"),
        (ACCOUNT + 'venue = "velocity"\n' + FEEDS, "BAD_VALUE", "accounts.main.venue"),
        (ACCOUNT.replace("main", "Main") + FEEDS, "BAD_ID", "accounts"),
        (ACCOUNT + '[feeds]\nSOL-PERP = "weather"\n', "BAD_VALUE", "feeds.SOL-PERP"),
        (ACCOUNT.replace("file:/k", "/k") + FEEDS, "BAD_VALUE", "accounts.main.signer"),
        (ACCOUNT + 'rpc = "mainnet"\n' + FEEDS, "BAD_VALUE", "accounts.main.rpc"),
        (ACCOUNT + 'rpc2 = "ws://x"\n' + FEEDS, "BAD_VALUE", "accounts.main.rpc2"),
        (ACCOUNT + "sub_account = 65536\n" + FEEDS, "BAD_VALUE", "accounts.main.sub_account"),
        (ACCOUNT + "rate_limit = -1\n" + FEEDS, "BAD_VALUE", "accounts.main.rate_limit"),
        (ACCOUNT + 'max_gross = "much"\n' + FEEDS, "BAD_NUMBER", "accounts.main.max_gross"),
        (ACCOUNT + FEEDS + '[sandbox]\nfill_model = "kind"\n', "BAD_VALUE", "sandbox.fill_model"),
        (ACCOUNT + FEEDS + '[prices]\nhermess = "x"\n', "UNKNOWN_KEY", "prices.hermess"),
        (ACCOUNT + '[feeds]\nSOL = "synthetic"\n', "BAD_VALUE", "feeds"),
        (ACCOUNT + '[feeds]\nSOL-PERP = "replay:gone.csv"\n', "BAD_FILE", "feeds.SOL-PERP"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(text: str, code: str, field: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        parse_configuration(text, Path("/x/g.toml"))

    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_recorded_file_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.touch()
    path = tmp_path / "gridkeeper.toml"
    path.write_text(ACCOUNT + '[feeds]\nSOL-PERP = "replay:tape.csv"\n')

    assert read_configuration(path).feeds == {"SOL-PERP": f"replay:{tape}"}


@pytest.mark.parametrize("kind", ["file", "agent"])
def test_a_signer_s_relative_path_starts_at_the_folder_of_the_file(kind: str) -> None:
    account = ACCOUNT.replace("file:/k", f"{kind}:keys/demo")

    read = parse_configuration(account + FEEDS, Path("/x/gridkeeper.toml")).accounts["main"]

    assert read.signer == f"{kind}:/x/keys/demo"


def test_a_moved_demo_finds_its_key(tmp_path: Path) -> None:
    make_demo_files(tmp_path / "here", "synthetic")
    (tmp_path / "here").rename(tmp_path / "there")

    account = read_configuration(tmp_path / "there" / "gridkeeper.toml").accounts["main"]

    assert str(load_signer(account.signer).public_key) == account.authority


def test_the_demo_has_a_key_of_its_own_that_only_the_user_can_read(tmp_path: Path) -> None:
    written = read_configuration(make_demo_files(tmp_path, "synthetic"))

    account = written.accounts["main"]
    assert str(load_signer(account.signer).public_key) == account.authority
    assert (tmp_path / "keys" / "demo.json").stat().st_mode & 0o777 == 0o600


def test_a_demo_that_was_cut_off_before_its_configuration_keeps_its_key(tmp_path: Path) -> None:
    first = read_configuration(make_demo_files(tmp_path, "synthetic"))
    (tmp_path / "gridkeeper.toml").unlink()

    assert read_configuration(make_demo_files(tmp_path, "synthetic")) == first


def test_the_example_grid_lies_around_the_synthetic_price() -> None:
    config = parse_grid(example_text(Path("x"), "SOL-PERP", "main", "synthetic"))

    assert (config.grid_id, config.lower_e6, config.upper_e6) == ("example", 145_000_000, 155_000_000)
    assert (config.intervals, config.spacing, config.size_base_e9) == (40, "arithmetic", 100_000_000)


def test_the_example_grid_of_a_recording_lies_around_its_first_price(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("ts_ms,price,size,side\n1700000000000,20.5,1,buy\n1700000001000,99,1,sell\n")

    config = parse_grid(example_text(Path("x"), "SOL-PERP", "main", f"replay:{tape}"))

    assert (config.lower_e6, config.upper_e6) == (18_450_000, 22_550_000)
    assert (config.intervals, config.spacing) == (60, "geometric")


def test_ports_are_kept_and_one_that_is_taken_is_replaced(tmp_path: Path) -> None:
    first = settle_ports(tmp_path)
    assert settle_ports(tmp_path) == first

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", first["ledger"]))
        holder.listen()
        second = settle_ports(tmp_path)

    assert second["ledger"] != first["ledger"]
    assert {name for name in first if first[name] != second[name]} == {"ledger"}


def test_no_two_services_get_the_same_port(tmp_path: Path) -> None:
    ports = settle_ports(tmp_path)

    assert len({*ports.values(), ports["rpc"] + 1}) == len(SERVICES) + 2


def test_services_follow_the_tape_only_when_there_is_one(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.touch()
    synthetic = plan_children(tmp_path, Wishes(), configuration(), PORTS, SERVERS)
    replay = plan_children(tmp_path, Wishes(), configuration(f"replay:{tape}"), PORTS, SERVERS)
    lockstep = plan_children(tmp_path, Wishes(lockstep=True), configuration(f"replay:{tape}"), PORTS, SERVERS)

    def told(children: dict[str, ChildSpec]) -> tuple[str, ...]:
        env = {key: value for child in children.values() for key, value in child.env.items()}
        names = ("STRATEGY_IS_TAPE", "SANDBOX_TAPE", "SANDBOX_LOCKSTEP", "PRICE_FEED_LOCKSTEP", "EXECUTION_ON_REQUEST")
        return tuple(env[f"GRIDKEEPER_{name}"] for name in names)

    assert told(synthetic) == ("false", "false", "false", "false", "false")
    assert told(replay) == ("true", "true", "false", "false", "false")
    assert told(lockstep) == ("true", "false", "true", "true", "true")


def test_a_service_sees_none_of_the_users_variables_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDKEEPER_STRATEGY_SHARD", "7")

    strategy = plan_children(tmp_path, Wishes(), configuration(), PORTS, SERVERS)["strategy"]

    assert "GRIDKEEPER_STRATEGY_SHARD" not in strategy.env
    assert "secret" not in repr(strategy)


def test_a_webhook_makes_the_notifier_use_it(tmp_path: Path) -> None:
    with_hook = msgspec.structs.replace(configuration(), notify=NotifyEntry(webhook="http://h/secret"))

    notifier = plan_children(tmp_path, Wishes(), with_hook, PORTS, SERVERS)["notifier"]

    assert notifier.env["GRIDKEEPER_NOTIFIER_CHANNELS"] == "terminal,webhook"
    assert "secret" not in repr(with_hook)


def test_an_account_on_a_real_endpoint_is_refused(tmp_path: Path) -> None:
    text = ACCOUNT + 'rpc = "https://api.mainnet-beta.solana.com"\n' + FEEDS
    real = parse_configuration(text, Path("/x/g.toml"))

    with pytest.raises(GridkeeperError, match=r"accounts\.main\.rpc"):
        plan_children(tmp_path, Wishes(), real, PORTS, SERVERS)


REAL = ACCOUNT + 'rpc = "https://rpc.example.org/token"\nrpc2 = "https://two.example.org"\nowner_key = true\n'
OTHER = '[accounts.other]\nauthority = "B"\nsigner = "file:/k"\nsub_account = 1\n'


@pytest.mark.parametrize(
    ("text", "profile", "field"),
    [
        (ACCOUNT + FEEDS, "drift", "accounts.main.rpc"),
        (REAL + FEEDS, "paper", "accounts.main.rpc"),
        (REAL + FEEDS, "drift", "feeds.SOL-PERP"),
        (REAL + OTHER + '[feeds]\nSOL-PERP = "drift"\n', "drift", "accounts.other.rpc"),
        (
            REAL + OTHER + 'rpc = "https://three.example.org"\n[feeds]\nSOL-PERP = "drift"\n',
            "drift",
            "accounts.other.rpc",
        ),
        (ACCOUNT + '[feeds]\nSOL-PERP = "drift"\n', "paper", "prices.rpc"),
    ],
)
def test_a_configuration_that_does_not_suit_the_profile_is_refused_by_name(
    text: str, profile: Profile, field: str
) -> None:
    with pytest.raises(GridkeeperError) as refused:
        check_profile(parse_configuration(text, Path("/x/g.toml")), profile)

    assert refused.value.field == field
    assert "token" not in str(refused.value)


def test_on_a_real_endpoint_there_is_no_sandbox_and_all_is_read_there(tmp_path: Path) -> None:
    text = REAL + 'rate_limit = 7\npriority_fee = "recent:5000"\nlookup_tables = ["a", "b"]\n'
    text += '[feeds]\nSOL-PERP = "drift"\n'
    real = parse_configuration(text, Path("/x/g.toml"))

    children = plan_children(tmp_path, Wishes(profile="drift"), real, PORTS, SERVERS)

    execution = {key.removeprefix("GRIDKEEPER_EXECUTION_"): value for key, value in children["execution"].env.items()}
    assert "sandbox" not in children
    assert execution["RPC_URL"] == "https://rpc.example.org/token"
    assert execution["RPC2_URL"] == "https://two.example.org"
    assert (execution["REQUESTS_PER_S"], execution["PRIORITY_FEE"]) == ("7", "recent:5000")
    assert execution["LOOKUP_TABLES"] == "a,b"
    assert json.loads(execution["ACCOUNTS"])["main"]["owner_key"] is True
    assert children["price_feed"].env["GRIDKEEPER_PRICE_FEED_RPC_URL"] == "https://rpc.example.org/token"
    assert "token" not in repr(real)


def test_a_scenario_reaches_the_sandbox_and_a_missing_one_is_named(tmp_path: Path) -> None:
    scenario = tmp_path / "faults.toml"
    with pytest.raises(GridkeeperError, match="scenario"):
        plan_children(tmp_path, Wishes(scenario=scenario), configuration(), PORTS, SERVERS)

    scenario.touch()
    text = ACCOUNT + FEEDS + '[sandbox]\nfill_model = "touch"\nspread_bps = 4\n'
    with_sandbox = parse_configuration(text, Path("/x/g.toml"))
    sandbox = plan_children(tmp_path, Wishes(scenario=scenario), with_sandbox, PORTS, SERVERS)["sandbox"].env

    told = [sandbox[f"GRIDKEEPER_SANDBOX_{name}"] for name in ("SCENARIO", "FILL_MODEL", "SPREAD_BPS")]
    assert told == [str(scenario), "touch", "4"]


def test_an_owner_s_key_on_a_real_endpoint_needs_to_be_allowed(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    authority = make_key_file(key)
    account = f'[accounts.main]\nauthority = "{authority}"\nsigner = "file:{key}"\n'
    real = account + 'rpc = "https://rpc.example.org"\n'

    check_signers(parse_configuration(account + FEEDS, Path("/x/g.toml")))
    check_signers(parse_configuration(real + "owner_key = true\n" + FEEDS, Path("/x/g.toml")))
    with pytest.raises(GridkeeperError, match=r"SIGNER_IS_OWNER.*accounts\.main\.signer"):
        check_signers(parse_configuration(real + FEEDS, Path("/x/g.toml")))


def test_each_market_is_fed_in_its_own_ticks(tmp_path: Path) -> None:
    text = ACCOUNT + '[feeds]\nSOL-PERP = "synthetic"\nBTC-PERP = "synthetic"\n'
    both = parse_configuration(text, Path("/x/g.toml"))

    feeds = json.loads(
        plan_children(tmp_path, Wishes(), both, PORTS, SERVERS)["price_feed"].env["GRIDKEEPER_PRICE_FEED_FEEDS"]
    )

    assert {market: feed["tick_e6"] for market, feed in feeds.items()} == {"SOL-PERP": 100, "BTC-PERP": 100_000}


def test_each_service_reaches_the_servers_as_itself(tmp_path: Path) -> None:
    children = plan_children(tmp_path, Wishes(), configuration(), PORTS, SERVERS)

    for name, child in children.items():
        secrets = " ".join(child.env.values())
        assert f"SU-{name}" in secrets
        assert "of-the-admin" not in secrets, "the administrator's password stays with the supervisor"
        others = [other for other in SERVICES if other != name]
        assert not any(f"SU-{other}" in secrets or f"password-of-{other}" in secrets for other in others)
