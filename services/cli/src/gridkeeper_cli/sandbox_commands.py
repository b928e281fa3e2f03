"""`gridkeeper sandbox`: rehearse against a chain that misbehaves; no real endpoint knows these commands."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from gridkeeper_cli.group import DONE
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import read_run_file

_TIMEOUT_S = 10.0
_NO_METHOD = -32601


@click.group()
def sandbox() -> None:
    """Make the sandbox misbehave, to see what a grid does about it.

    \b
    Example:
      gridkeeper sandbox faults set storm.toml
      gridkeeper sandbox faults show
      gridkeeper sandbox faults clear
    """


@sandbox.group()
def faults() -> None:
    """Lost, late and forked transactions, broken answers, dropped websockets.

    \b
    A file of faults:
      seed = 7
      [[fault]]
      kind = "fork"              # or lost-transaction, late-transaction, rate-limit, server-error, garbage, slow,
      method = "sendTransaction" #    lost-request, lost-answer, slot-regression, null-transaction, truncated-logs,
      share = 0.1                #    dropped-websocket
      delay_ms = 3000

    \b
    Example:
      gridkeeper sandbox faults set storm.toml
    """


@faults.command("set")
@click.argument("file", type=click.Path(path_type=Path))
@everywhere
@pass_session
def set_command(session: Session, file: Path) -> int:
    """Begin the faults of a file, in place of those in force.

    \b
    Example:
      gridkeeper sandbox faults set storm.toml
    """
    return _answer_faults(session, _ask(session, "sandbox_setFaults", [_scenario(file)]))


@faults.command("show")
@everywhere
@pass_session
def show_command(session: Session) -> int:
    """Show the faults in force, and how often each has struck.

    \b
    Example:
      gridkeeper sandbox faults show
    """
    return _answer_faults(session, _ask(session, "sandbox_faults", []))


@faults.command("clear")
@everywhere
@pass_session
def clear_command(session: Session) -> int:
    """End all faults.

    \b
    Example:
      gridkeeper sandbox faults clear
    """
    return _answer_faults(session, _ask(session, "sandbox_setFaults", []))


@sandbox.command("fork")
@click.argument("signature")
@click.option("--relands", is_flag=True, help="The new fork takes the transactions of clients in again.")
@everywhere
@pass_session
def fork_command(session: Session, signature: str, relands: bool) -> int:  # noqa: FBT001  # click passes by name
    """Leave the fork a transaction is on: it and all that came after it are undone, unless it is final.

    \b
    Example:
      gridkeeper sandbox fork 5VERYlong…signature
    """
    if not _ask(session, "sandbox_fork", [signature, {"relands": relands}]):
        raise GridkeeperError(
            "BAD_VALUE", field="signature", value=signature, expected="a transaction on the chain that is not final"
        )
    session.answer({"forked": signature}, "The chain left that fork.")
    return DONE


@sandbox.command("market")
@click.argument("symbol")
@click.argument("changes", nargs=-1, required=True, metavar="FIELD=VALUE…")
@everywhere
@pass_session
def market_command(session: Session, symbol: str, changes: tuple[str, ...]) -> int:
    """Change a market as the venue's admin would, or make its oracle fail (is_frozen, confidence_e6).

    
    Example:
      gridkeeper sandbox market SOL-PERP status=reduce-only
      gridkeeper sandbox market SOL-PERP is_frozen=true
      gridkeeper sandbox market SOL-PERP paused_operations=4 pnl_pool_e6=0
    """
    values = dict(_change(text) for text in changes)
    _ask(session, "sandbox_setMarket", [symbol, values])
    session.answer({"market": symbol, "changed": values}, f"{symbol} was changed.")
    return DONE


@sandbox.command("exchange")
@click.argument("bits", type=click.IntRange(0, 255))
@everywhere
@pass_session
def exchange_command(session: Session, bits: int) -> int:
    """Pause operations of the whole exchange: 1 deposit, 2 withdraw, 4 vAMM, 8 fill, 16 liquidation, 32 funding, 64
    settlement; 255 placing as well; 0 lets all go on.

    
    Example:
      gridkeeper sandbox exchange 8
    """
    _ask(session, "sandbox_setExchange", [bits])
    session.answer({"exchange_status": bits}, f"The exchange's status is {bits}.")
    return DONE


def _change(text: str) -> tuple[str, object]:
    """`tick_e6=100` as a name and a number, `true`, `false`, or a word."""
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise GridkeeperError("BAD_USAGE", field="changes", value=text, expected="FIELD=VALUE")
    words: dict[str, object] = {"true": True, "false": False}
    return name, words.get(value, int(value) if value.lstrip("-").isdigit() else value)


def _scenario(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise GridkeeperError("BAD_FILE", field="file", value=path, detail=str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise GridkeeperError("BAD_TOML", field="file", value=path, detail=str(error)) from error


def _answer_faults(session: Session, told: list[dict[str, Any]]) -> int:
    lines = [_line(item["fault"], item["struck"]) for item in told]
    session.answer({"faults": told}, *(lines or ["No faults are in force."]))
    return DONE


def _line(fault: dict[str, Any], struck: int) -> str:
    what = f"{fault['kind']} on {fault['method'] or 'any method'}"
    limit = f", {fault['count']} times at most" if fault["count"] else ""
    return f"{what}, share {fault['share']:g}{limit}: struck {struck} times"


def _ask(session: Session, method: str, params: Sequence[object]) -> Any:
    """The sandbox's answer. Raises GridkeeperError NOT_RUNNING, RPC_FAILED, BAD_VALUE."""
    url = read_run_file(session.data_dir).rpc_url
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    connection = HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = msgspec.json.decode(connection.getresponse().read())
    except (OSError, HTTPException, msgspec.DecodeError) as error:
        raise GridkeeperError("RPC_FAILED", field="sandbox", value=url, detail=str(error)) from error
    finally:
        connection.close()
    if "error" not in answer:
        return answer["result"]
    if answer["error"]["code"] == _NO_METHOD:
        raise GridkeeperError("RPC_FAILED", field="rpc", value=url, detail="This endpoint is not a sandbox.")
    raise GridkeeperError("BAD_VALUE", field=method.removeprefix("sandbox_"), detail=answer["error"]["message"])
