"""One case of the stress suite: a random network, compiled in a random way, beside the interpreter."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from support.comparison import compare
from support.random_graphs import random_codes

import spqc
from spqc.foundation.errors import SpqcError
from spqc.ir import Array, Graph
from spqc.ir.ops import Spiking
from spqc.targets._plan.choice import Chooser
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets.llvm.cpu import missing_features
from spqc.targets.llvm.strategies import strategies

from .networks import CPUS, network, target

SPIKES = 4_000_000
"""Of one case, about: so many that comparing takes as long as compiling."""
SAMPLES = (4, 1500)


@dataclass
class Result:
    """What one case compared, and what differed; `refused` says why a network could not be compiled."""

    seed: int
    target: str = ""
    strategies: list[str] = field(default_factory=list)
    samples: int = 0
    spikes: int = 0
    states: int = 0
    logits: int = 0
    seconds: float = 0.0
    refused: str = ""
    differences: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        return asdict(self)


def run_case(seed: int) -> Result:
    """Compile the network of a seed and compare everything that it computes."""
    begin = time.monotonic()
    result = Result(seed)
    try:
        graph = network(seed)
        result.target = target(seed, sorted(strategies()), _cpus())
        with random_settings(seed):
            artifact = spqc.compile(graph, result.target, records="none")
    except SpqcError as error:
        result.refused = f"{type(error).__name__}: {error.message.splitlines()[0]}"
        return result
    codes = _codes(graph, seed)
    done = compare(graph, artifact.executor, codes, seed)
    result.strategies = [kernel["strategy"] for kernel in artifact.contents.report["kernels"]["run"]]
    result.samples = len(codes)
    result.spikes, result.states, result.logits = done.spikes, done.states, done.logits
    result.differences = done.differences
    result.seconds = round(time.monotonic() - begin, 2)
    return result


@contextmanager
def random_settings(seed: int) -> Iterator[None]:
    """Take random settings of each strategy, as tuning might, in half of the cases; else those that are proposed."""
    rng = np.random.default_rng([seed, 2])

    def drawn(chooser: Chooser, site: Site, name: str) -> Settings:
        space = list(chooser.strategies[name].space(site))
        return space[int(rng.integers(len(space)))]

    if rng.random() < 0.5:
        yield
        return
    with patch.object(Chooser, "_proposal", drawn):
        yield


def _codes(graph: Graph, seed: int) -> Array:
    """Return inputs of every density: silent and full samples, and random ones between."""
    a_sample = graph.steps * sum(op.out.type.size for op in graph.ops if isinstance(op, Spiking))
    samples = int(np.clip(SPIKES // max(1, a_sample), *SAMPLES))
    codes = random_codes(graph, samples, seed)[graph.inputs[0].name]
    rng = np.random.default_rng([seed, 3])
    density = rng.choice([0.0, 0.01, 0.1, 0.5, 1.0], samples).reshape(-1, *[1] * (codes.ndim - 1))
    codes = np.where(rng.random(codes.shape) < density, codes, 0)
    codes[-1] = graph.inputs[0].type.range[1]
    return np.ascontiguousarray(codes)


def _cpus() -> list[str]:
    """Return those of the CPU levels that this machine can run."""
    from spqc.targets.llvm.compile import machine_target

    return [cpu for cpu in CPUS if cpu == "host" or not missing_features(machine_target(cpu)[1])]
