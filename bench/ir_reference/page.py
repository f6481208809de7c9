"""docs/ir.md: what the IR is, its types and notes, the lowered program, and every operator."""

from __future__ import annotations

from collections.abc import Iterable

from bench.papers.markdown import item, prose, table
from spqc.ir import parse_graph, verify
from spqc.plugins import pipeline, registry

from . import words
from .encodings import encodings
from .operators import operators


def page() -> str:
    """Return the whole page."""
    parts = [_graph(), _types(), _notes(), _program(), _rules(), _operators()]
    lines = ["# The intermediate representation", "", *prose(words.INTRODUCTION), *prose(words.ORIGIN)]
    return "\n".join([*lines, *(line for part in parts for line in part)]).rstrip() + "\n"


def _graph() -> list[str]:
    lines = ["## The temporal graph", "", *_block(str(verify(parse_graph(words.GRAPH)))), *prose(words.STEP)]
    return [*lines, *_items(words.NAMES), *prose(words.TEXT), *prose(words.BATCH)]


def _types() -> list[str]:
    lines = ["## Types", "", *prose(words.TYPES), *_items(words.TYPE_PARTS), "### Encodings", ""]
    return [*lines, *prose(words.ENCODINGS), *encodings()]


def _notes() -> list[str]:
    return ["## Notes", "", *prose(words.NOTES), *table(("key", "what it says"), words.NOTE_ROWS)]


def _program() -> list[str]:
    lines = ["## The lowered program", "", *prose(words.PROGRAM), *_block(lowered())]
    return [*lines, *_items(words.PROGRAM_PARTS)]


def lowered() -> str:
    """Return the text of the page's graph as the CPU target runs a window of it, up to the graph behind it."""
    passes = pipeline.parse(registry.create("targets", "llvm").lowerings()["run"])
    text = str(pipeline.run(parse_graph(words.GRAPH), passes))
    return text.partition("\ngraph ")[0]


def _rules() -> list[str]:
    lines = ["## Rules", "", "`spqc/ir/verify.py` refuses a graph that breaks one of these, with the place:", ""]
    return [*lines, *_items(words.RULES)]


def _operators() -> list[str]:
    return ["## Operators", "", *prose(words.OPERATORS), *operators()]


def _block(text: str) -> list[str]:
    return ["```text", *text.rstrip().splitlines(), "```", ""]


def _items(texts: Iterable[str]) -> list[str]:
    return [line for text in texts for line in item(text)] + [""]
