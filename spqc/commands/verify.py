"""Exact equality of a compiled network with its framework and with the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spqc.commands.sources import Model
from spqc.foundation.errors import UsageError
from spqc.ir import Array
from spqc.ir.axis_order import AxisOrder
from spqc.plugins.executor import Executor
from spqc.plugins.frontend import Observation
from spqc.runtime.compare import Mismatch, Tally, compare
from spqc.runtime.given import given_codes
from spqc.runtime.observe import fed, input_format, layers, observe_graph
from spqc.runtime.session import Artifact

Progress = Callable[[int], None]

_CHUNK = 64
_WAYS = 3  # as whole windows, traced, and step by step
_PASSES = 2


@dataclass(frozen=True)
class VerifyReport:
    """How many elements were compared, how many differ, and the first that does.

    An element counts once, however many runs are compared on it: the framework, the interpreter on the graph as loaded,
    and the artifact twice, in another order and other batches the second time: traced, and (logits only) as whole
    windows and as streams. inferences: of the artifact, all samples and ways together. orders: of the samples.
    dirty_memory: whether the executor's memory was filled with garbage before every call.
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
    inferences: int
    orders: int
    dirty_memory: bool


def verify_model(
    model: Model, artifact: Artifact, x: npt.ArrayLike, description: str, layout: AxisOrder | None = None
) -> VerifyReport:
    """Compare framework, interpreter and artifact on inputs [N, T, ...] or [N, ...], or of another layout."""
    codes = given_codes(model.graph, input_format(model.graph), x, layout)
    chunks = (codes[first : first + _CHUNK] for first in range(0, len(codes), _CHUNK))
    return verify_chunks(model, artifact, chunks, description)


def verify_chunks(
    model: Model, artifact: Artifact, chunks: Iterable[Array], description: str, progress: Progress | None = None
) -> VerifyReport:
    """Compare framework, interpreter and artifact on codes [N, T, ...], as many arrays of them as there are.

    progress: called with the number of samples done. Raises UsageError for the artifact of another model. A stream that
    the caller has begun with the artifact goes on as if nothing had been: the comparison opens an executor of its own.
    """
    require_same_model(model, artifact)
    tally, samples, orders = Tally([*layers(model.graph), "logits"]), 0, 1
    with Artifact(artifact.contents, artifact.label) as own:
        garbage = type(own.executor).dirty is not Executor.dirty
        for codes in chunks:
            _verify_chunk(model, own, codes, tally, samples)
            samples, orders = samples + len(codes), max(orders, min(len(codes), _PASSES))
            if progress is not None:
                progress(samples)
    return VerifyReport(
        not any(tally.mismatched.values()),
        model.source.label,
        artifact.target,
        description,
        samples,
        model.graph.steps,
        len(layers(model.graph)),
        **tally.named(),
        first_mismatch=tally.first,
        inferences=samples * _WAYS * _PASSES,
        orders=orders,
        dirty_memory=garbage,
    )


def _verify_chunk(model: Model, artifact: Artifact, codes: Array, tally: Tally, first: int) -> None:
    target = artifact.target
    framework = model.frontend.observe(model.source, codes)
    interpreted = observe_graph(model.graph, codes)
    seen = {"interpreter": interpreted, "framework": framework}
    logits: dict[str, Array | None] = {
        "interpreter": interpreted.logits,
        "framework": _as_integers(framework, interpreted, artifact),
    }
    for name, batches, seed in ((target, _whole(codes), first), (f"{target} again", _turned(codes), first + 1)):
        artifact.executor.dirty(seed)
        seen[name] = _traced(artifact, codes, batches)
        logits |= {
            name: _placed([artifact.executor.run(fed(artifact.graph, codes[batch])) for batch in batches], batches),
            f"{name} traced": seen[name].logits,
            f"{name} step by step": _placed([_stepped(artifact, codes[batch]) for batch in batches], batches),
        }
    compare(tally, seen, first)
    tally.add("logit", "logits", logits, first)


def _whole(codes: Array) -> list[Array]:
    """Return the samples as one batch: their places."""
    return [np.arange(len(codes))]


def _turned(codes: Array) -> list[Array]:
    """Return the samples from the last to the first, in two batches of different sizes."""
    turned = np.arange(len(codes))[::-1]
    middle = -(-len(codes) // 3)
    return [batch for batch in (turned[:middle], turned[middle:]) if len(batch)]


def _placed(parts: list[Array], batches: list[Array]) -> Array:
    """Return results of batches [N, ...] in the order of the samples."""
    return np.concatenate(parts)[np.argsort(np.concatenate(batches))]


def _traced(artifact: Artifact, codes: Array, batches: list[Array]) -> Observation:
    parts = [artifact.executor.trace(fed(artifact.graph, codes[batch])) for batch in batches]

    def together(name: str) -> dict[str, Array]:
        return {layer: _placed([getattr(p, name)[layer] for p in parts], batches) for layer in getattr(parts[0], name)}

    logits = _placed([part.logits for part in parts], batches)
    return Observation(logits, together("spikes"), together("states"), together("gates"))


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


def require_same_model(model: Model, artifact: Artifact) -> None:
    """Raise UsageError unless the artifact was compiled from this very graph: of another, no spike is to blame."""
    source = artifact.contents.source
    if source.get("sha256") != model.graph.digest():
        raise UsageError(
            f"the artifact was compiled from another network ('{source.get('model')}')",
            artifact.label,
            "its weights or structure differ, or another version of spqc compiled it; compile this model first",
        )
