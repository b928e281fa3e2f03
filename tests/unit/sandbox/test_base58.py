"""Base 58 against the library that reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from gridkeeper_sandbox import base58


@given(st.binary(min_size=32, max_size=32))
def test_a_public_key_is_written_as_everywhere(data: bytes) -> None:
    assert base58.encode(data) == str(Pubkey.from_bytes(data))


@given(st.binary(max_size=80))
def test_what_was_written_is_read_back(data: bytes) -> None:
    assert base58.decode(base58.encode(data)) == data


def test_a_character_that_is_not_of_the_alphabet_is_refused() -> None:
    with pytest.raises(ValueError, match="'0'"):
        base58.decode("10")
