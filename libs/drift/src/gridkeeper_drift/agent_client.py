"""A signer that is another process: asks it over a unix socket, and never holds the key."""

from __future__ import annotations

import base64
import socket
from pathlib import Path

import msgspec
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature

from gridkeeper_drift.failure import SignerAwayError, SignerRefusedError
from gridkeeper_drift.keys import Signer, load_signer

AGENT = "agent:"
TIMEOUT_S = 2.0
LINE_MAX = 16 * 1024


class AgentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the agent. Without a `message` (base64) it is asked for its public key."""

    message: str = ""


class AgentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One line back: a public key or a signature (base58), or why not."""

    public_key: str = ""
    signature: str = ""
    refused: str = ""


class AgentSigner:
    """Signs through the agent that listens at `path`; asks at once for its public key.

    Raises SIGNER_AWAY where nobody answers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.public_key = Pubkey.from_string(self._ask(AgentRequest()).public_key)

    def __repr__(self) -> str:
        return f"AgentSigner({self.public_key})"

    def sign(self, message: MessageV0) -> Signature:
        """The signature of a transaction's message. Raises SIGNER_REFUSED, SIGNER_AWAY."""
        asked = AgentRequest(message=base64.b64encode(to_bytes_versioned(message)).decode())
        return Signature.from_string(self._ask(asked).signature)

    def _ask(self, request: AgentRequest) -> AgentAnswer:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(TIMEOUT_S)
                connection.connect(str(self._path))
                connection.sendall(msgspec.json.encode(request) + b"\n")
                with connection.makefile("rb") as lines:
                    answer = msgspec.json.decode(lines.readline(LINE_MAX), type=AgentAnswer)
        except (OSError, msgspec.MsgspecError) as error:
            raise SignerAwayError(self._path, str(error)) from error
        if answer.refused:
            raise SignerRefusedError(self._path, f"The signing agent refused: {answer.refused}.")
        return answer


AnySigner = Signer | AgentSigner


def open_signer(reference: str) -> AnySigner:
    """The signer that `file:/path` or `agent:/path/of/socket` names.

    Raises as `load_signer` does, and SIGNER_AWAY.
    """
    if reference.startswith(AGENT):
        return AgentSigner(Path(reference.removeprefix(AGENT)))
    return load_signer(reference)
