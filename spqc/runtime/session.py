"""A compiled network ready to run: arrays in, logits out."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc import registry
from spqc.contracts import Executor, Observation
from spqc.errors import ArtifactError, UsageError
from spqc.files import write_atomic
from spqc.ir import Array, Graph
from spqc.ir.inputs import InputFormat
from spqc.options import split_call

from .artifact import Contents, encode, read
from .observe import fed, input_format

Logits = npt.NDArray[np.floating[Any]]


class Artifact:
    """A network compiled for one target.

    Inputs are [N, T, ...], or [N, ...] repeated over the T steps: floats in [0, 1], or integer codes. Every method
    raises InputError for an array that does not fit, and Unavailable where this machine cannot run the target.
    """

    def __init__(self, contents: Contents, label: str = "artifact") -> None:
        self.contents = contents
        self.label = label

    @classmethod
    def load(cls, path: str | Path) -> Artifact:
        """Return the artifact in a file; ArtifactError says what is wrong with it."""
        return cls(read(Path(path)), str(path))

    def save(self, path: str | Path) -> None:
        """Write the artifact; a failed write raises OutputError and leaves what was there untouched."""
        write_atomic(Path(path), encode(self.contents))

    @property
    def graph(self) -> Graph:
        """The optimised graph that was compiled."""
        return self.contents.graph

    @property
    def target(self) -> str:
        """The target with its options, as text."""
        return self.contents.target

    @property
    def steps(self) -> int:
        """The number of steps of one inference."""
        return self.graph.steps

    @cached_property
    def inputs(self) -> InputFormat:
        """How arrays become codes."""
        return input_format(self.graph)

    @cached_property
    def executor(self) -> Executor:
        """What runs the network; opened at the first use."""
        target = registry.load("targets", split_call(self.target)[0])
        try:
            executor: Executor = target.open(self.contents.package())
        except ArtifactError as error:
            raise ArtifactError(error.message, error.where or self.label, error.hint) from None
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise ArtifactError(
                f"its parts do not fit together: {error!r}", self.label, "compile the model again"
            ) from error
        return executor

    def codes(self, x: npt.ArrayLike) -> Array:
        """Return an input array as integer codes [N, T, ...]."""
        return self.inputs.to_codes(x, self.graph.inputs[0].type.shape, self.steps)

    def feed(self, x: npt.ArrayLike) -> Array:
        """Return an input array as the executor takes it: codes [N, T, ...], or one static frame [N, ...]."""
        return fed(self.graph, self.codes(x))

    def run(self, x: npt.ArrayLike) -> Logits:
        """Return logits [N, T, classes]: real values."""
        return self.to_logits(self.executor.run(self.feed(x)))

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the class [N] with the greatest mean logit; the lowest class of equals."""
        return np.asarray(self.executor.run(self.feed(x)).sum(axis=1).argmax(axis=1), np.int64)

    def step(self, frame: npt.ArrayLike) -> Logits:
        """Advance one step by a frame [N, ...] and return its logits [N, classes]. N stays the same until `reset`."""
        shape = self.graph.inputs[0].type.shape
        codes = self.inputs.to_codes(frame, shape, 1)
        return self.to_logits(self.executor.step(codes[:, 0]))

    def reset(self) -> None:
        """Forget the state: the next `step` is the first."""
        self.executor.reset()

    def trace(self, x: npt.ArrayLike) -> dict[str, tuple[Array, Array]]:
        """Return {layer name: (spikes, stored membrane levels)}, each [N, T, ...]."""
        seen = self.observe(x)
        return {name: (spikes, self._levels(name, seen.states[name])) for name, spikes in seen.spikes.items()}

    def observe(self, x: npt.ArrayLike) -> Observation:
        """Return integer logits, spikes, state codes and gates, as the target computed them."""
        return self.executor.trace(self.feed(x))

    def to_logits(self, integers: Array) -> Logits:
        """Return integer logits as real values, in the dtype that the model computes them in."""
        scale = self._logit_scale
        return np.asarray(integers.astype(scale.dtype) * scale)

    @cached_property
    def _logit_scale(self) -> np.floating[Any]:
        """What one unit of an integer logit stands for, in the logits' dtype."""
        name = self.graph.note("logits_dtype", "float32")
        if name not in ("float32", "float64"):
            raise UsageError(f"logits are float32 or float64, not '{name}'", self.label)
        kind: type[np.floating[Any]] = np.dtype(name).type
        return kind(self._number("logit_scale", self.graph.note("logit_scale") or self.graph.outputs[0].type.scale))

    def _levels(self, layer: str, codes: Array) -> Array:
        text = self.graph.note(f"levels.{layer}")
        if not text:
            return codes
        levels = np.array([self._number(f"levels.{layer}", level) for level in text.split("|")])
        places = codes - int(self._number(f"low.{layer}", self.graph.note(f"low.{layer}", "0")))
        if places.size and not 0 <= int(places.min()) <= int(places.max()) < levels.size:
            raise UsageError(f"the note 'levels.{layer}' names {levels.size} levels, too few", self.label)
        return np.asarray(levels[places])

    def _number(self, note: str, text: str | float) -> float:
        """Return what a note says; UsageError where it is no finite number."""
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(f"the note '{note}' of the graph is no number", self.label)
        return number
