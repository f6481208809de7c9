"""An operator's docstring, taken apart: a summary, paragraphs, and a last one whose entries are `label: text`."""

from __future__ import annotations

import dataclasses
import inspect
import re
from dataclasses import dataclass

from spqc.ir import Op

LABELS = ("Operands", "Result", "Source")
"""What every operator says beside its attributes."""

_ENTRY = re.compile(r"(\w+): (.*)")


@dataclass(frozen=True)
class Documentation:
    """`summary` and `details` are the operator's own paragraphs; `entries` are those of its base classes too."""

    summary: str
    details: tuple[str, ...]
    entries: dict[str, str]


def documentation(cls: type[Op]) -> Documentation:
    """Return what the docstrings of an operator and its base classes say; the nearest class wins."""
    summary, *details = _paragraphs(cls)
    own = [text for text in details if not _is_entries(cls, text)]
    entries: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Op) and base is not Op:
            entries |= _entries(base)
    return Documentation(_line(summary), tuple(map(_line, own)), entries)


def attributes_of(cls: type[Op]) -> list[str]:
    """Return the names of an operator's attributes, in order."""
    return [field.name for field in dataclasses.fields(cls)[3:]]


def _paragraphs(cls: type[Op]) -> list[str]:
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "").split("\n\n")


def _is_entries(cls: type[Op], paragraph: str) -> bool:
    match = _ENTRY.match(paragraph)
    return match is not None and match[1] in (*LABELS, *attributes_of(cls))


def _entries(cls: type[Op]) -> dict[str, str]:
    """Return the entries of a class's own docstring: a line that begins no entry belongs to the one before."""
    entries: dict[str, str] = {}
    label = ""
    for paragraph in _paragraphs(cls):
        for line in paragraph.splitlines() if _is_entries(cls, paragraph) else ():
            match = _ENTRY.match(line)
            if match is not None and match[1] in (*LABELS, *attributes_of(cls)):
                label, line = match[1], match[2]
            entries[label] = f"{entries[label]} {line}" if label in entries else line
    return entries


def _line(text: str) -> str:
    return " ".join(text.split())
