"""Every number of a graph must be finite: arrays, attributes of operators, scales and the notes that hold numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from spqc.foundation.errors import ModelError

from .graph import Graph

_GREATEST = float(np.finfo(np.float32).max)
_NUMBERS = ("levels.", "logit_scale")
_HINT = "the training diverged, or the file is damaged"


def require_finite(graph: Graph, where: str) -> Graph:
    """Return the graph. Raises ModelError, naming the number, where one is NaN, infinite or beyond float32."""
    for value in graph.constants:
        array = graph.data.get(value.name)
        if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
            op = graph.readers.get(value.name, (None,))[0]
            place = f"{where}: {op.origin or op}" if op else where
            raise ModelError(f"'{value.name}' holds NaN or infinity", place, _HINT)
    for name, number, place in (*_attributes(graph), *_scales(graph), *_notes(graph)):
        if not abs(number) <= _GREATEST:  # false for NaN too
            raise ModelError(f"{name} is {number:g}, no finite float32", f"{where}: {place}" if place else where, _HINT)
    return graph


def _attributes(graph: Graph) -> Iterator[tuple[str, float, str]]:
    for op in graph.ops:
        for field in dataclasses.fields(op):
            for number in _floats(getattr(op, field.name)):
                yield f"{op.name}'s '{field.name}'", number, op.origin or str(op)


def _floats(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _floats(entry)


def _scales(graph: Graph) -> Iterator[tuple[str, float, str]]:
    return ((f"the scale of {value}", value.type.scale, "") for value in graph.values.values())


def _notes(graph: Graph) -> Iterator[tuple[str, float, str]]:
    for key, text in graph.notes:
        if key.startswith(_NUMBERS):
            for part in text.split("|"):
                yield f"note {key}", _number(part), ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
