"""What the documents say is there: links lead somewhere, and generated pages are as the code would write them now."""

from __future__ import annotations

import re

import pytest

from gridkeeper_cli.reference import PAGES
from support.documented import commands_in, trouble_with
from support.source_tree import ROOT, SourceFile, text_files

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

DOCUMENTS = [file for file in text_files() if file.name.endswith(".md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_links_of_a_document_lead_somewhere(document: SourceFile) -> None:
    folder = (ROOT / document.name).parent

    missing = [target for target in _relative_links(document.text) if not (folder / target).exists()]

    assert missing == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    assert _relative_links("see [there](gone.md#part) and [web](https://example.com) and [here](#part)") == ["gone.md"]


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_as_the_code_would_write_it(page: str) -> None:
    assert (ROOT / "docs" / page).read_text("utf-8") == PAGES[page](), "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_command_that_a_document_names_exists_with_its_options(document: SourceFile) -> None:
    troubles = {words: trouble for words in commands_in(document.text) if (trouble := trouble_with(words))}

    assert troubles == {}


def test_a_command_that_does_not_exist_is_found() -> None:
    text = """Ask `gridkeeper grid lst`, or

```sh
.venv/bin/gridkeeper grid stop my-grid --closed --yes   # keeps nothing
docker compose exec desk gridkeeper grid list | head
```
"""
    assert {words: trouble_with(words) for words in commands_in(text)} == {
        "grid stop my-grid --closed --yes": "stop does not know --closed",
        "grid list": "",
        "grid lst": "there is no command 'lst'",
    }


def _relative_links(text: str) -> list[str]:
    targets = _LINK.findall(_CODE_BLOCK.sub("", text))
    return [
        target.partition("#")[0]
        for target in targets
        if "://" not in target and not target.startswith(("#", "mailto:"))
    ]
