"""A digest says the same everywhere, and only of values whose text cannot vary."""

from __future__ import annotations

import pytest

from gridkeeper_core.digest import digest_of


def test_the_order_in_which_facts_are_named_does_not_matter() -> None:
    assert digest_of(1, {"a": 1, "b": ("x", 2)}) == digest_of(1, {"b": ("x", 2), "a": 1})


def test_a_digest_is_known_for_ever() -> None:
    expected = "c0418298c2e25cf03c1d23d3aa2136e090d89764521fd8de1d6d4f691abaa9d8"
    assert digest_of(1, {"position_e9": -(10**30), "cells": ((1, "é"), None, True)}) == expected


@pytest.mark.parametrize(
    ("version", "facts"),
    [(2, {"a": 1}), (1, {"b": 1}), (1, {"a": "1"}), (1, {"a": True}), (1, {"a": (1,)}), (1, {"a": None})],
)
def test_another_version_name_or_kind_of_value_is_another_digest(version: int, facts: dict[str, object]) -> None:
    assert digest_of(version, facts) != digest_of(1, {"a": 1})


@pytest.mark.parametrize("value", [1.0, [1], {"b": 1}, b"x", (1, 2.5)])
def test_a_value_whose_text_could_vary_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="'a'"):
        digest_of(1, {"a": value})
