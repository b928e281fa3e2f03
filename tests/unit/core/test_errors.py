"""An error that a user sees says what was wrong, where, and what to do."""

from __future__ import annotations

import re

import pytest

from gridkeeper_core.errors import CATALOGUE, GridkeeperError


def test_an_error_takes_its_advice_from_the_catalogue() -> None:
    error = GridkeeperError("BAD_NUMBER", field="grid.lower", value="12o", expected="decimal text")

    assert error.as_dict() == {
        "code": "BAD_NUMBER",
        "field": "grid.lower",
        "value": "12o",
        "expected": "decimal text",
        "do": 'Write it as decimal text, for example "0.1".',
        "detail": "A number could not be read.",
    }


def test_its_sentence_names_code_field_value_and_advice() -> None:
    text = str(GridkeeperError("BAD_NUMBER", field="grid.lower", value="12o"))

    assert text.startswith("BAD_NUMBER: ")
    assert "grid.lower" in text
    assert "'12o'" in text
    assert text.endswith('Write it as decimal text, for example "0.1".')


def test_advice_for_the_case_at_hand_replaces_that_of_the_catalogue() -> None:
    assert GridkeeperError("PORT_IN_USE", do="Free port 4222.").do == "Free port 4222."


def test_a_code_that_is_not_in_the_catalogue_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        GridkeeperError("NO_SUCH_CODE")


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_has_a_meaning_and_an_advice_in_whole_sentences(code: str) -> None:
    meaning, do = CATALOGUE[code]

    assert re.fullmatch(r"[A-Z][A-Z0-9_]*", code)
    assert meaning.endswith(".")
    assert do.endswith(".")
