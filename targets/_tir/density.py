"""How many of a kernel's inputs are not zero: measured on the user's data, or a stated default."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spqc.ir import Graph, Value
from spqc.ir.ops import Add, Flatten, MaxPool, Repeat, Reshape, SumPool

SPIKES = 0.15  # the rate trained networks settle at
PIXELS = 0.9  # of a picture are not black
WORDS = 1.0


@dataclass(frozen=True)
class Density:
    """`planes[b]`: the share of inputs whose code has bit b; `active`: the share that is not zero."""

    active: float
    planes: tuple[float, ...]
    measured: bool = False

    def __str__(self) -> str:
        return f"{self.active:.0%} {'measured' if self.measured else 'assumed'}"


def assumed(graph: Graph, value: Value) -> Density:
    """Return the default: 15 % of neurons spike, pooling windows are independent, pixels are never zero."""
    chances = _chances(graph, value)
    bits = max(1, (len(chances) - 1).bit_length())
    planes = tuple(round(sum(p for code, p in enumerate(chances) if code >> b & 1), 4) for b in range(bits))
    return Density(round(1 - chances[0], 4), planes)


def _chances(graph: Graph, value: Value) -> list[float]:
    """Return the chance of every code 0, 1, ... of a value."""
    op = graph.producers.get(value.name)
    if isinstance(op, Flatten | Repeat | Reshape):
        return _chances(graph, op.inputs[0])
    if isinstance(op, SumPool | MaxPool) and op.type_of(0).range == (0, 1):
        p, window = _chances(graph, op.inputs[0])[1], op.window
        if isinstance(op, MaxPool):
            return [(1 - p) ** window, 1 - (1 - p) ** window]
        return _binomial(window, p)
    if isinstance(op, Add) and op.counts:
        first, second = (_chances(graph, v) for v in op.inputs)
        return [float(chance) for chance in np.convolve(first, second)]
    low, high = value.type.range
    if (low, high) == (0, 1):
        return [1 - SPIKES, SPIKES]
    codes = min(high - low, 255)
    active = PIXELS if op is None else WORDS
    return [1 - active, *([active / codes] * codes)]


def _binomial(window: int, p: float) -> list[float]:
    chances = [1.0]
    for _ in range(window):
        chances = [a * (1 - p) + b * p for a, b in zip([*chances, 0.0], [0.0, *chances], strict=True)]
    return chances
