"""A compiled network ready to run: arrays in, logits out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import ArtifactError, Unavailable, UsageError
from spqc.foundation.files import write_atomic
from spqc.foundation.locks import ForkLock
from spqc.foundation.options import split_call
from spqc.ir import Array, Graph
from spqc.ir.axis_order import AxisOrder
from spqc.ir.inputs import InputFormat
from spqc.plugins import registry
from spqc.plugins.executor import Executor
from spqc.plugins.frontend import Observation
from spqc.plugins.target import Target

from .artifact import Contents, encode, read
from .given import given_codes
from .observe import fed, input_format
from .saved_state import network_hash
from .stream import Logits, StreamSession


class Artifact:
    """A network compiled for one target.

    Inputs are [N, T, ...], or [N, ...] repeated over the T steps: floats in [0, 1], or integer codes; `layout` names
    other axes: NT, TN, N or T (one sample of T steps). A Notice says how an ambiguous array was taken. Every method
    raises InputError for an array that does not fit, and Unavailable where this machine cannot run the target.
    """

    def __init__(self, contents: Contents, label: str = "artifact") -> None:
        self.contents = contents
        self.label = label
        self._lock = ForkLock()
        self._executor: Executor | None = None
        self._inputs: InputFormat | None = None
        self._scale: np.floating[Any] | None = None
        self._network_hash: bytes | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy needs: it opens an executor of its own, and begins its streams anew."""
        return {"contents": self.contents, "label": self.label}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

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

    @property
    def inputs(self) -> InputFormat:
        """How arrays become codes."""
        form = self._inputs
        if form is None:  # two threads may both find it: it is the same
            form = self._inputs = input_format(self.graph)
        return form

    @property
    def executor(self) -> Executor:
        """What runs the network; opened at the first use. UsageError once the artifact was closed."""
        executor = self._executor
        if executor is None:
            with self._lock.now:
                executor = self._executor = self._executor or self._opened()
        return executor

    def check_open(self) -> None:
        """Raise UsageError where the artifact was closed."""
        if self._closed:
            raise UsageError("the artifact was closed", self.label, "load it again")

    def _opened(self) -> Executor:
        self.check_open()
        target = registry.load("targets", split_call(self.target)[0])
        if not issubclass(target, Target):
            raise Unavailable(
                f"target '{target.name}' only emits files: nothing here runs them",
                self.label,
                "`spqc inspect` lists the files of an artifact",
            )
        try:
            executor: Executor = target.open(self.contents.package())
        except ArtifactError as error:
            raise ArtifactError(error.message, error.where or self.label, error.hint) from None
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise ArtifactError(
                f"its parts do not fit together: {error!r}", self.label, "compile the model again"
            ) from error
        return executor

    def close(self) -> None:
        """Give back memory, threads and the compiled library, once no call is under way; none may come afterwards.

        An artifact that nobody refers to any more is closed by itself; `with` closes it at the end of a block.
        """
        with self._lock.now:
            executor, self._executor, self._closed = self._executor, None, True
        if executor is not None:
            executor.close()

    def codes(self, x: npt.ArrayLike, layout: AxisOrder | None = None) -> Array:
        """Return an input array as integer codes [N, T, ...]."""
        return given_codes(self.graph, self.inputs, x, layout)

    def feed(self, x: npt.ArrayLike, layout: AxisOrder | None = None) -> Array:
        """Return an input array as the executor takes it: codes [N, T, ...], or one static frame [N, ...]."""
        return fed(self.graph, self.codes(x, layout))

    def frame(self, frame: npt.ArrayLike) -> Array:
        """Return the input of one step as integer codes [N, ...]."""
        return self.inputs.to_codes(frame, self.graph.inputs[0].type.shape, 1)[:, 0]

    def run(self, x: npt.ArrayLike, layout: AxisOrder | None = None) -> Logits:
        """Return logits [N, T, classes]: real values."""
        return self.to_logits(self.executor.run(self.feed(x, layout)))

    def predict(self, x: npt.ArrayLike, layout: AxisOrder | None = None) -> npt.NDArray[np.int64]:
        """Return the class [N] with the greatest mean logit; the lowest class of equals."""
        return np.asarray(self.executor.run(self.feed(x, layout)).sum(axis=1).argmax(axis=1), np.int64)

    def stream(self) -> StreamSession:
        """Return a new stream: each client that calls `step` takes one of its own."""
        self.check_open()
        return StreamSession(self)

    def step(self, frame: npt.ArrayLike) -> Logits:
        """Advance one step by a frame [N, ...] and return its logits [N, classes]. N stays the same until `reset`.

        This is one stream for one client: it belongs to the thread (or the task of asyncio) that took its first step,
        and another one's step is a UsageError. Use `stream()` where there are several clients.
        """
        return self.to_logits(self.executor.step(self.frame(frame)))

    def reset(self) -> None:
        """Forget the state of plain `step`: the next one is the first, and its caller owns the stream."""
        self.executor.reset()

    def trace(self, x: npt.ArrayLike, layout: AxisOrder | None = None) -> dict[str, tuple[Array, Array]]:
        """Return {layer name: (spikes, stored membrane levels)}, each [N, T, ...]."""
        seen = self.observe(x, layout)
        return {name: (spikes, self._levels(name, seen.states[name])) for name, spikes in seen.spikes.items()}

    def observe(self, x: npt.ArrayLike, layout: AxisOrder | None = None) -> Observation:
        """Return integer logits, spikes, state codes and gates, as the target computed them."""
        return self.executor.trace(self.feed(x, layout))

    def to_logits(self, integers: Array) -> Logits:
        """Return integer logits as real values, in the dtype that the model computes them in."""
        scale = self._logit_scale
        return np.asarray(integers.astype(scale.dtype) * scale)

    @property
    def network_hash(self) -> bytes:
        """The sha256 of the compiled graph and its constants: what a saved state belongs to."""
        digest = self._network_hash
        if digest is None:
            digest = self._network_hash = network_hash(self.graph)
        return digest

    @property
    def _logit_scale(self) -> np.floating[Any]:
        """What one unit of an integer logit stands for, in the logits' dtype."""
        scale = self._scale
        if scale is None:
            name = self.graph.note("logits_dtype", "float32")
            if name not in ("float32", "float64"):
                raise UsageError(f"logits are float32 or float64, not '{name}'", self.label)
            kind: type[np.floating[Any]] = np.dtype(name).type
            number = self.graph.note("logit_scale") or self.graph.outputs[0].type.scale
            scale = self._scale = kind(self._number("logit_scale", number))
        return scale

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
        """Return the number that the text of a note says. Raises UsageError where it is no finite number."""
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(f"the note '{note}' of the graph is no number", self.label)
        return number
