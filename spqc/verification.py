"""Exact equality of a compiled network with its framework and with the interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.contracts import Observation
from spqc.errors import UsageError
from spqc.ir import Array
from spqc.runtime.compare import Mismatch, Tally, compare
from spqc.runtime.observe import fed, input_format, layers, observe_graph
from spqc.runtime.session import Artifact
from spqc.sources import Model

_CHUNK = 64


@dataclass(frozen=True)
class VerifyReport:
    """How many elements were compared, how many differ, and the first that does.

    An element counts once, though up to four runs are compared on it: the framework, the interpreter on the graph as
    loaded, the artifact over all steps, and (logits only) the artifact step by step.
    """

    equal: bool
    model: str
    target: str
    inputs: str
    samples: int
    steps: int
    layers: int
    compared_spikes: int
    mismatched_spikes: int
    compared_states: int
    mismatched_states: int
    compared_masks: int
    mismatched_masks: int
    compared_logits: int
    mismatched_logits: int
    first_mismatch: Mismatch | None


def verify_model(model: Model, artifact: Artifact, x: npt.ArrayLike, description: str) -> VerifyReport:
    """Compare framework, interpreter and artifact on inputs [N, T, ...] or [N, ...]."""
    _check_same_signature(model, artifact)
    graph = model.graph
    codes = input_format(graph).to_codes(x, graph.inputs[0].type.shape, graph.steps)
    tally = Tally([*layers(graph), "logits"])
    for first in range(0, len(codes), _CHUNK):
        _verify_chunk(model, artifact, codes[first : first + _CHUNK], tally, first)
    counts = tally.named()
    equal = not any(tally.mismatched.values())
    label, count = model.source.label, len(layers(graph))
    return VerifyReport(
        equal, label, artifact.target, description, len(codes), graph.steps, count, **counts, first_mismatch=tally.first
    )


def _verify_chunk(model: Model, artifact: Artifact, codes: Array, tally: Tally, first: int) -> None:
    executor, target = artifact.executor, artifact.target
    framework = model.frontend.observe(model.source, codes)
    interpreted = observe_graph(model.graph, codes)
    x = fed(artifact.graph, codes)
    traced = executor.trace(x)
    compare(tally, {"interpreter": interpreted, "framework": framework, target: traced}, first)
    logits: dict[str, Array | None] = {
        "interpreter": interpreted.logits,
        "framework": _as_integers(framework, interpreted, artifact),
        target: executor.run(x),
        f"{target} traced": traced.logits,
        f"{target} step by step": _stepped(artifact, codes),
    }
    tally.add("logit", "logits", logits, first)


def _stepped(artifact: Artifact, codes: Array) -> Array:
    stream = artifact.executor.stream(len(codes))
    return np.stack([stream.step(codes[:, step]) for step in range(codes.shape[1])], axis=1)


def _as_integers(framework: Observation, interpreted: Observation, artifact: Artifact) -> Array:
    """Return the framework's logits on the integer lattice; a real logit off its place becomes what differs from it."""
    logits = framework.logits
    if logits.dtype.kind != "f" or interpreted.logits.dtype.kind == "f":
        return logits
    real = artifact.to_logits(interpreted.logits)
    same = logits.astype(np.float64) == real.astype(np.float64)
    lattice = logits.astype(np.float64) / artifact.graph.outputs[0].type.scale
    return np.where(
        same, interpreted.logits.astype(np.float64), np.where(lattice == interpreted.logits, np.nan, lattice)
    )


def _check_same_signature(model: Model, artifact: Artifact) -> None:
    def signature(graph: Any) -> tuple[Any, ...]:
        return graph.inputs[0].type.shape, graph.steps, graph.outputs[0].type.shape

    if signature(model.graph) != signature(artifact.graph):
        raise UsageError(
            f"the artifact was compiled from another network ('{artifact.contents.source.get('model')}')",
            artifact.label,
            "its input, steps or classes differ; compile this model first",
        )
