"""Inputs for a network with what they are in words: seeded codes of its own kind when the user gives none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spqc.foundation.options import require_seed
from spqc.ir import Array, Graph

from .observe import input_format


@dataclass(frozen=True)
class Examples:
    """Inputs to show a network, what they are in words, and their classes [N] where known."""

    x: Array
    description: str
    labels: Array | None = None


def random_codes(graph: Graph, samples: int, seed: int) -> Examples:
    """Return codes [N, T, ...], uniform over the input's range; one frame for all steps where coding is direct."""
    format_, shape = input_format(graph), graph.inputs[0].type.shape
    frames = 1 if format_.coding == "direct" else graph.steps
    generator = np.random.default_rng(require_seed(seed))
    codes = generator.integers(0, format_.max + 1, (samples, frames, *shape), dtype=np.uint8)
    x = np.repeat(codes, graph.steps // frames, axis=1)
    return Examples(x, f"random '{format_.encoding}' inputs (seed {seed})")
