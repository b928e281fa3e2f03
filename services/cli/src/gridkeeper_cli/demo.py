"""Makes what the demo needs, once: a key, a configuration, an account with money on the sandbox, an example grid."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from gridkeeper_cli.gridkeeper_toml import AccountEntry, replayed_files
from gridkeeper_cli.typical_markets import typical_market
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.market import round_half_even_to
from gridkeeper_core.units import E6, e6_text
from gridkeeper_drift.keys import make_key_file
from gridkeeper_drift.opening import AccountConfig, drift_venue
from gridkeeper_drift.owner import OwnerDesk
from gridkeeper_lab.tape import Tape, TapeSpec
from gridkeeper_runtime.files import make_private_directory, write_private

CONFIG_FILE = "gridkeeper.toml"
MARKET = "SOL-PERP"
ALIAS = "main"
GRID_ID = "example"
DEPOSIT_E6 = 10_000 * E6
LAMPORTS = 10 * 10**9
RPC_TIMEOUT_S = 10.0

_CONFIG = """\
# Written for the demo: everything runs on this machine, and the money is play money.

[accounts.{alias}]
venue = "drift"
rpc = ""                             # empty: the sandbox that `gridkeeper up` starts
authority = "{authority}"
sub_account = 0
signer = "file:{signer}"
owner_key = true                     # the demo's key may do everything; for real money set a delegate

[feeds]
{market} = {source}

# [notify]
# webhook = "https://example.org/hook"
"""

_GRID = """\
# A grid that was made for the demo; see it with `gridkeeper preview {path}`.

[grid]
id = "{grid_id}"
market = "{market}"
account = "{alias}"
direction = "neutral"
lower = "{lower}"
upper = "{upper}"
intervals = {intervals}
spacing = "{spacing}"
size = {{ base = "0.1" }}
leverage = "3"

[window]
live_orders = 28
"""


def make_demo_files(data_dir: Path, source: str) -> Path:
    """Write `gridkeeper.toml`, and the key it names where that is not there already; the configuration's path."""
    config = data_dir / CONFIG_FILE
    keys = data_dir / "keys"
    make_private_directory(keys)
    signer = keys / "demo.json"
    # Where the file was left behind by a first start that was cut off, its key goes on being used.
    authority = make_key_file(signer)
    # Relative, so that a restored or moved data directory finds it.
    place = signer.relative_to(data_dir)
    text = _CONFIG.format(alias=ALIAS, authority=authority, signer=place, market=MARKET, source=_quoted(source))
    write_private(config, text.encode())
    return config


def make_example_grid(data_dir: Path, market: str, account: str, source: str) -> Path:
    """Write `grids/example.toml` where there is none: around the synthetic start price, or the first recorded one."""
    path = data_dir / "grids" / f"{GRID_ID}.toml"
    if not path.exists():
        make_private_directory(path.parent)
        write_private(path, example_text(path, market, account, source).encode())
    return path


def example_text(path: Path, market: str, account: str, source: str) -> str:
    """The grid file. Raises GridkeeperError BAD_DATA for a recording without a price."""
    files = replayed_files(source)
    shape: Mapping[str, object] = {"lower": "145", "upper": "155", "intervals": 40, "spacing": "arithmetic"}
    if files:
        tick_e6 = typical_market(market).tick_e6
        first_e6 = first_price_e6(files, market)
        lower_e6, upper_e6 = (round_half_even_to(first_e6 * share, 10, tick_e6) for share in (9, 11))
        shape = {
            "lower": e6_text(lower_e6),
            "upper": e6_text(upper_e6),
            "intervals": 60,
            "spacing": "geometric",
        }
    return _GRID.format(path=path, grid_id=GRID_ID, market=market, alias=account, **shape)


def first_price_e6(files: list[Path], market: str) -> int:
    """The first price of a recording (1e-6). Raises GridkeeperError BAD_DATA where there is none."""
    spec = typical_market(market)
    tape = Tape(files, TapeSpec(market=market, tick_e6=spec.tick_e6, step_e9=spec.step_e9))
    first = next(tape.prices(), None)
    if first is None:
        raise GridkeeperError("BAD_DATA", field="feed", value=files[0], detail="The recording holds no price.")
    return first.oracle_e6


async def set_up_account(rpc_url: str, alias: str, account: AccountEntry) -> bool:
    """Make the sub-account on the sandbox and pay into it, where the chain has none; whether that was needed.

    Raises GridkeeperError RPC_FAILED; RpcUnreachableError where the sandbox is away.
    """
    config = AccountConfig(alias, account.authority, account.sub_account, account.signer, owner_key=True)
    async with drift_venue(rpc_url, [config]) as venue:
        if alias in await venue.read_accounts():
            return False
        await asyncio.to_thread(_fund, rpc_url, account.authority)
        await OwnerDesk(venue, alias).create("gridkeeper", DEPOSIT_E6)
        return True


def _fund(rpc_url: str, wallet: str) -> None:
    """The sandbox's faucet, which no real endpoint has."""
    amounts = {"lamports": LAMPORTS, "quote_e6": DEPOSIT_E6}
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "sandbox_fund", "params": [wallet, amounts]})
    connection = HTTPConnection(urlsplit(rpc_url).netloc, timeout=RPC_TIMEOUT_S)
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = msgspec.json.decode(connection.getresponse().read())
    except OSError as error:
        raise GridkeeperError("RPC_FAILED", field="sandbox", detail=str(error)) from error
    finally:
        connection.close()
    if "error" in answer:
        raise GridkeeperError("RPC_FAILED", field="sandbox_fund", detail=str(answer["error"]))


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
