"""Loads the key that signs, and keeps it from being seen."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import stat
from pathlib import Path

from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature

from gridkeeper_core.errors import GridkeeperError

_FILE = "file:"
_PR_SET_DUMPABLE = 4
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_KEYPAIR_BYTES = 64


class Signer:
    """A key pair that shows only its public key, whatever prints it."""

    __slots__ = ("_keypair", "public_key")

    def __init__(self, keypair: Keypair) -> None:
        self._keypair = keypair
        self.public_key: Pubkey = keypair.pubkey()

    def __repr__(self) -> str:
        return f"Signer({self.public_key})"

    def __reduce__(self) -> str:
        raise TypeError("a signer is never pickled or copied")

    def sign(self, message: MessageV0) -> Signature:
        """The signature of a transaction's message."""
        return self._keypair.sign_message(to_bytes_versioned(message))

    @property
    def keypair(self) -> Keypair:
        """The secret; only the signing of a transaction may ask for it."""
        return self._keypair


def load_signer(reference: str) -> Signer:
    """The signer that `file:/path` names, a JSON array of 64 bytes as Solana's own tools write it.

    From then on this process leaves no core dump. Raises SIGNER_UNSAFE where anyone but us may read the file, BAD_FILE
    where it is none or holds no key.
    """
    if not reference.startswith(_FILE):
        raise GridkeeperError("BAD_VALUE", field="signer", expected="file:/path/to/keypair.json")
    path = Path(reference.removeprefix(_FILE))
    try:
        found = path.stat()
        if found.st_mode & _OTHERS:
            raise GridkeeperError("SIGNER_UNSAFE", field="signer", value=path, expected="mode 0600")
        if found.st_uid != os.geteuid():
            detail = "The key file belongs to another user, who can read it."
            raise GridkeeperError(
                "SIGNER_UNSAFE", field="signer", value=path, expected=f"owner {os.geteuid()}", detail=detail
            )
        keep_out_of_dumps()
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise GridkeeperError("BAD_FILE", field="signer", value=path) from error
    return Signer(_keypair(text, path))


def keep_out_of_dumps() -> None:
    """No core dump of this process from now on, and no other process of the same user may read its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def make_key_file(path: Path) -> str:
    """The public key (base58) of a new key pair in a file of mode 0600; of the one it holds where there is a file.

    Raises SIGNER_UNSAFE and BAD_FILE as `load_signer` does: a key is never overwritten.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(json.dumps(list(bytes(Keypair()))))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    return str(load_signer(f"{_FILE}{path}").public_key)


def _keypair(text: str, path: Path) -> Keypair:
    # The cause is left out on purpose: an error about its content could show the key.
    try:
        numbers = json.loads(text)
        assert isinstance(numbers, list)
        assert len(numbers) == _KEYPAIR_BYTES
        return Keypair.from_bytes(bytes(numbers))
    except (AssertionError, TypeError, ValueError):
        raise GridkeeperError(
            "BAD_FILE", field="signer", value=path, expected="a JSON array of 64 numbers, a key pair"
        ) from None
