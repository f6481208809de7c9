"""docs/glossary.md is in order, and every entry says where its thing lives."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
ENTRIES = re.findall(r"^- \*\*(.+?)\.\*\* (.*?)(?=\n- |\Z)", PAGE, re.MULTILINE | re.DOTALL)


def test_terms_are_in_order_and_once() -> None:
    terms = [term.lower() for term, _ in ENTRIES]
    assert len(terms) > 60 and terms == sorted(set(terms))


def test_every_entry_links_to_its_source() -> None:
    for term, text in ENTRIES:
        assert re.search(r"\]\(\.\./(spqc|passes|targets)/?[\w./]*\)\)$", text.strip()), term
