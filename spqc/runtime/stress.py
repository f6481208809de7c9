"""Random inputs for whoever wants to be sure: silence, few and many codes, all of them, and one alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spqc.ir import Array, Graph
from spqc.ir.inputs import InputFormat

from .observe import input_format

DENSITIES = (0.0, 0.01, 0.5, 1.0)
DESCRIPTION = "random inputs at densities of 0, 1, 50, 100 % and one-hot"
_AT_ONCE = 64
_BYTES_AT_ONCE = 1 << 26


def stress_codes(graph: Graph, samples: int, seed: int) -> Iterator[Array]:
    """Yield codes [N, T, ...], `samples` in all: each density of codes that are not 0 in turn, then a single one.

    Codes are uniform over the greatest code and below, every other sample at 100 % holds the greatest alone. Sample i
    depends on `seed` and i only. Where one frame serves all steps, it is drawn once.
    """
    format_, shape = input_format(graph), graph.inputs[0].type.shape
    frames = 1 if format_.coding == "direct" else graph.steps
    each = max(1, min(_AT_ONCE, _BYTES_AT_ONCE // (graph.steps * graph.inputs[0].type.size)))
    for first in range(0, samples, each):
        numbers = range(first, min(first + each, samples))
        codes = np.stack([_sample(format_, (frames, *shape), seed, number) for number in numbers])
        yield np.repeat(codes, graph.steps // frames, axis=1)


def _sample(format_: InputFormat, shape: tuple[int, ...], seed: int, number: int) -> Array:
    generator = np.random.default_rng([seed, number])
    turn, kind = divmod(number, len(DENSITIES) + 1)
    drawn = generator.integers(1, format_.max + 1, shape, dtype=np.uint8)
    if kind == len(DENSITIES):
        kept = np.zeros(shape, bool)
        kept.flat[generator.integers(kept.size)] = True
    else:
        kept = generator.random(shape) < DENSITIES[kind]
        if DENSITIES[kind] == 1.0 and turn % 2 == 0:
            drawn[:] = format_.max
    return np.where(kept, drawn, np.uint8(0))
