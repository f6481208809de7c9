"""Tables and paragraphs of a page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 120


def line(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())


def prose(text: str, **figures: object) -> list[str]:
    """Return a paragraph, its figures filled in, and an empty line."""
    filled = line(text.format(**figures) if figures else text)
    return [*textwrap.wrap(filled, WIDTH, break_long_words=False, break_on_hyphens=False), ""]


def item(text: str) -> list[str]:
    """Return one entry of a list."""
    return textwrap.wrap(
        f"- {line(text)}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table and an empty line."""
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
