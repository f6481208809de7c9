"""One small network for each target, compiled once, for tests of what happens around its runs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import spqc
from spqc.ir import Graph
from spqc.runtime.artifact import Contents
from spqc.runtime.session import Artifact

from .layers import one_layer
from .random_graphs import random_codes

PATIENCE_S = 60
TARGETS = ["reference", "llvm", "llvm{threads=3}"]


@cache
def contents(target: str) -> Contents:
    """Return what compiling gives, to make artifacts of."""
    if target.startswith("llvm"):
        pytest.importorskip("tvm")
    return spqc.compile(one_layer(3, 5, 5), target).contents


def inputs(samples: int, seed: int = 0) -> Any:
    """Return codes [N, T, ...] of the network."""
    return codes_of(one_layer(3, 5, 5), samples, seed)


def codes_of(graph: Graph, samples: int, seed: int) -> Any:
    """Return codes [N, T, ...] of a network, also where all frames are one."""
    codes = next(iter(random_codes(graph, samples, seed).values()))
    static = graph.inputs[0].type.clock == "const"
    return np.repeat(codes[:, None], graph.steps, axis=1) if static else codes


def use(artifact: Artifact, x: Any) -> Any:
    """Run a network in every way; return what it gave."""
    artifact.trace(x)
    artifact.step(x[:, 0])
    stream = artifact.stream()
    stream.step(x[:, 0])
    stream.state()
    return artifact.run(x)
