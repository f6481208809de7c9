"""How often each code occurs where a weighted sum reads: what a target's choice of kernels depends on."""

from __future__ import annotations

import numpy as np

from spqc.ir import Array, Graph, Value, interpret
from spqc.ir.ops import Conv, Linear
from spqc.runtime.observe import named_inputs

SAMPLES = 8  # of the user's data are run in the interpreter: shares of thousands of neurons settle fast
_MOST_CODES = 256


def measure_chances(graph: Graph, codes: Array) -> dict[str, tuple[float, ...]]:
    """Return the share of every code 0, 1, ... of each value that a weighted sum of `graph` reads.

    codes: inputs [N, T, ...]; at most SAMPLES of them, spread over the whole, are run.
    """
    wanted = {op.inputs[0].name for op in graph.ops if isinstance(op, Conv | Linear)}
    counts: dict[str, Array] = {}

    def count(_step: int, value: Value, array: Array) -> None:
        if value.name in wanted:
            histogram = np.bincount(np.clip(array, 0, _MOST_CODES - 1).ravel(), minlength=_MOST_CODES)
            counts[value.name] = counts.get(value.name, 0) + histogram

    inputs = named_inputs(graph, codes[np.unique(np.linspace(0, len(codes) - 1, SAMPLES).astype(int))])
    for value in graph.inputs:
        count(0, value, inputs[value.name])
    interpret(graph, inputs, count)
    return {name: _shares(counted) for name, counted in sorted(counts.items())}


def _shares(counts: Array) -> tuple[float, ...]:
    last = int(np.flatnonzero(counts)[-1])
    return tuple(round(float(share), 6) for share in counts[: max(last, 1) + 1] / counts.sum())
