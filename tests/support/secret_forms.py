"""How the private half of a key might be written somewhere: what must be found nowhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from solders.keypair import Keypair
from solders.pubkey import Pubkey


def secret_forms(key_file: Path) -> list[bytes]:
    """Raw, as numbers, in base64, hexadecimal or base58."""
    pair = bytes(json.loads(key_file.read_text()))
    seed = pair[:32]
    numbers = ", ".join(str(byte) for byte in seed[:12])
    return [
        seed,
        numbers.encode(),
        numbers.replace(" ", "").encode(),
        base64.b64encode(seed)[:40],
        seed.hex().encode(),
        str(Keypair.from_seed(seed)).encode(),
        str(Pubkey.from_bytes(seed)).encode(),
    ]
