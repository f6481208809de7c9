"""An entry of the page for every operator, from its class."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from bench.papers.markdown import item, prose, table
from spqc.foundation.options import format_value
from spqc.ir import OPERATORS, Op

from .docstring import LABELS, documentation
from .examples import example

KINDS: dict[str, tuple[str, ...]] = {
    "Weighted sums": ("conv1d", "conv2d", "conv3d", "linear", "attention"),
    "Neurons": ("neuron", "automaton", "integrate", "current_neuron"),
    "Element by element": ("affine", "add", "bias", "combine", "gate", "greater", "spatial_mask"),
    "Pooling": ("sum_pool", "max_pool", "global_sum"),
    "Time and shape": ("repeat", "flatten", "reshape"),
}


def operators() -> list[str]:
    """Return the lines of all entries, kind by kind."""
    lines: list[str] = []
    for kind, names in KINDS.items():
        lines += [f"### {kind}", ""]
        for name in names:
            lines += entry(OPERATORS[name])
    return lines


def entry(cls: type[Op]) -> list[str]:
    """Return the lines of one operator: what it computes, its operands, result and attributes, and a graph with it."""
    text = documentation(cls)
    lines = [f"#### {cls.name}", "", *prose(_escaped(text.summary))]
    for paragraph in text.details:
        lines += prose(_escaped(paragraph))
    lines += [line for label in LABELS for line in item(f"*{label}:* {_escaped(text.entries[label])}")]
    lines += [""]
    attributes = _attributes(cls, text.entries)
    if attributes:
        lines += table(("attribute", "values", "default", "meaning"), attributes)
    return [*lines, "```text", *str(example(cls.name)).splitlines(), "```", ""]


def _attributes(cls: type[Op], meanings: dict[str, str]) -> list[tuple[str, str, str, str]]:
    hints = typing.get_type_hints(cls)
    return [
        (f"`{field.name}`", values(hints[field.name]), f"`{default(field.default)}`", _meaning(meanings[field.name]))
        for field in dataclasses.fields(cls)[3:]
    ]


def default(value: Any) -> str:
    """Return a default as the text of a graph has it; nothing where it is an empty list."""
    return format_value(value).replace("|", r"\|") or "(none)"


def values(hint: Any) -> str:
    """Return what an attribute may be, in words."""
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(hint))
    words = {int: "integer", float: "number", str: "name"}
    if typing.get_origin(hint) is tuple:
        return f"{words[typing.get_args(hint)[0]]}s, written `a\\|b`"
    return words[hint]


def _meaning(text: str) -> str:
    return _escaped(text).removesuffix(".").replace("|", r"\|")


def _escaped(text: str) -> str:
    """Return a formula's text with its stars behind backslashes, but for those of code: they are no emphasis."""
    parts = text.split("`")
    return "`".join(part if index % 2 else part.replace("*", r"\*") for index, part in enumerate(parts))
