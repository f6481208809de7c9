"""Inputs for a network when the user gives none: seeded codes of the network's own kind."""

from __future__ import annotations

import numpy as np

from spqc.foundation.options import require_seed
from spqc.ir import Graph
from spqc.plugins.frontend import Examples

from .observe import input_format


def random_codes(graph: Graph, samples: int, seed: int) -> Examples:
    """Return codes [N, T, ...], uniform over the input's range; one frame for all steps where coding is direct."""
    format_, shape = input_format(graph), graph.inputs[0].type.shape
    frames = 1 if format_.coding == "direct" else graph.steps
    generator = np.random.default_rng(require_seed(seed))
    codes = generator.integers(0, format_.max + 1, (samples, frames, *shape), dtype=np.uint8)
    x = np.repeat(codes, graph.steps // frames, axis=1)
    return Examples(x, f"random '{format_.encoding}' inputs (seed {seed})")
