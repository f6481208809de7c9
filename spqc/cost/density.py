"""How many of a kernel's inputs are not zero: measured on the user's data, or a stated default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spqc.ir import Graph, Value
from spqc.ir.ops import Add, Flatten, MaxPool, Repeat, Reshape, SumPool

SPIKES = 0.15  # the rate trained networks settle at
PIXELS = 0.9  # of a picture are not black
WORDS = 1.0


@dataclass(frozen=True)
class Density:
    """`chances`: the share of every code 0, 1, ...; `active`: of those not 0; `planes[b]`: of those with bit b."""

    chances: tuple[float, ...]
    measured: bool = False

    @property
    def active(self) -> float:
        return round(1 - self.chances[0], 4)

    @property
    def mean(self) -> float:
        return sum(share * code for code, share in enumerate(self.chances))

    @property
    def planes(self) -> tuple[float, ...]:
        bits = max(1, (len(self.chances) - 1).bit_length())
        return tuple(sum(p for code, p in enumerate(self.chances) if code >> b & 1) for b in range(bits))

    def __str__(self) -> str:
        return f"{self.active:.0%} {'measured' if self.measured else 'assumed'}"


_CLASSES = (0, 1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90, 100)  # percent


def density_class(density: Density) -> str:
    """Return the class of a density in tuning records: near percentages of active inputs, and of events an input."""
    near = [min(_CLASSES, key=lambda c: abs(c - 100 * share)) for share in (density.active, min(1, density.mean))]
    return f"{near[0]} %" if near[0] == near[1] else f"{near[0]} % mean {near[1]} %"


def measured(chances: Sequence[float]) -> Density:
    """Return the density of codes 0, 1, ... that occur with these shares."""
    return Density(tuple(chances), True)


def assumed(graph: Graph, value: Value) -> Density:
    """Return the default: 15 % of neurons spike, pooling windows are independent, pixels are rarely zero."""
    return Density(tuple(_chances(graph, value)))


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
