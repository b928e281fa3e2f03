"""A key is taken from a safe file only, and never shown."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
from solders.keypair import Keypair

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.keys import Signer, load_signer

KEYPAIR = Keypair.from_seed(bytes(range(32)))


def key_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "key.json"
    path.write_text(text, encoding="ascii")
    path.chmod(mode)
    return f"file:{path}"


def test_a_key_is_read_from_a_file_only_its_owner_can_read(tmp_path: Path) -> None:
    signer = load_signer(key_file(tmp_path, json.dumps(list(bytes(KEYPAIR)))))
    assert signer.public_key == KEYPAIR.pubkey()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(GridkeeperError, match="SIGNER_UNSAFE"):
        load_signer(key_file(tmp_path, json.dumps(list(bytes(KEYPAIR))), mode))


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '["a"]', json.dumps([256] * 64), json.dumps([1] * 64)])
def test_a_file_without_a_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(GridkeeperError, match="BAD_FILE") as caught:
        load_signer(key_file(tmp_path, text))
    assert caught.value.__suppress_context__
    assert "key.json" in str(caught.value)


def test_a_missing_file_and_an_unknown_reference_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GridkeeperError, match="BAD_FILE"):
        load_signer(f"file:{tmp_path}/none.json")
    with pytest.raises(GridkeeperError, match="BAD_VALUE"):
        load_signer("[1, 2, 3]")


def test_a_signer_shows_its_public_key_only() -> None:
    signer = Signer(KEYPAIR)
    assert repr(signer) == str(signer) == f"Signer({KEYPAIR.pubkey()})"
    assert str(KEYPAIR) not in repr(signer)
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    with pytest.raises(TypeError):
        copy.copy(signer)
