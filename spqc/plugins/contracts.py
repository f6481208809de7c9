"""What a plug-in implements: Frontend, Pass, Target and Executor.

A plug-in is one module (or, for a target, one package) that defines `PLUGIN = <class>`; no other file changes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import UsageError
from spqc.ir.graph import Graph
from spqc.ir.program import Program
from spqc.ir.types import Array
from spqc.plugins.own_stream import OwnStream

Module = Graph | Program


@dataclass(frozen=True)
class Source:
    """What the user asked to compile: a file, or a live object of a framework; `label` names it in messages."""

    label: str
    path: Path | None = None
    model: Any = None


class Frontend(ABC):
    """Reads one kind of model."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def matches(cls, source: Source) -> bool:
        """Return whether this frontend should read the source; looks at names and types, not into files."""

    @abstractmethod
    def load(self, source: Source) -> Graph:
        """Return the model as a temporal graph; ModelError names the module that cannot be carried over."""

    @abstractmethod
    def observe(self, source: Source, x: Array) -> Observation:
        """Run the model in its own framework on codes [N, T, ...] and return everything that must be equal."""

    def examples(self, source: Source, samples: int, seed: int) -> Examples | None:
        """Return real inputs of the model's own kind, or None where only random ones can be drawn."""
        return None

    def eager(self, source: Source) -> Callable[[Array], object] | None:
        """Return the model in its own framework as a function of codes [N, T, ...], to time; None where it has none."""
        return None


@dataclass(frozen=True)
class Examples:
    """Inputs to show a network, what they are in words, and their classes [N] where known."""

    x: Array
    description: str
    labels: Array | None = None


@dataclass(frozen=True)
class Observation:
    """What a network did: logits [N, T, classes], and for each layer spikes, state codes and gates [N, T, ...]."""

    logits: Array
    spikes: Mapping[str, Array]
    states: Mapping[str, Array]
    gates: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Pass(ABC):
    """A rewrite that keeps the meaning; its dataclass fields are its options."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, module: Module) -> Module:
        """Return the rewritten module, or the same object when nothing changed."""


@dataclass(frozen=True)
class Binary:
    """What a target makes: files for the artifact, what its executor must be told, and what the user may be told."""

    files: Mapping[str, bytes]
    settings: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One way to compute a kernel that was measured before: nanoseconds of one sample, and the day."""

    strategy: str
    settings: Mapping[str, int]
    time_ns: float
    date: str


@dataclass(frozen=True)
class Advice:
    """What was measured before, for a target that chooses by it.

    `chances`: for each value that a weighted sum reads, the share of every code 0, 1, ... on the user's data.
    `findings`: for each key of a kernel, what was measured of it, the fastest first.
    `rates`: for each CPU, strategy and feature, fitted nanoseconds.
    """

    chances: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """One way to compute a kernel: what it does, counted, and the nanoseconds that it should take."""

    strategy: str
    settings: Mapping[str, int]
    predicted_ns: float
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One kernel to tune: its name in the records, its layer, every candidate, and the one taken without records."""

    key: str
    layer: str
    candidates: tuple[Candidate, ...]
    own: Candidate


class Tuner(ABC):
    """Measures the kernels of one network on this machine, whose processor is `cpu`."""

    cpu: str

    @abstractmethod
    def jobs(self) -> Sequence[Job]:
        """Return the kernels that differ, each once."""

    @abstractmethod
    def measure(self, job: Job, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, float]]:
        """Yield each candidate with the nanoseconds of one sample."""


@dataclass(frozen=True)
class Tracker:
    """Where to ask for machines to measure on: those that registered with this key."""

    host: str
    port: int
    key: str


@dataclass(frozen=True)
class Lesson:
    """A network whose layer `measured` teaches a cost function, at several shares of input codes that are not 0."""

    graph: Graph
    densities: tuple[float, ...]


@dataclass(frozen=True)
class Target(ABC):
    """A machine to compile for; its dataclass fields are its options."""

    name: ClassVar[str]

    @abstractmethod
    def pipeline(self) -> str:
        """Return the passes to run before `build`, as text."""

    @abstractmethod
    def check(self, graph: Graph) -> list[str]:
        """Return one line for each operator that this target cannot run, with its place."""

    def lowerings(self) -> Mapping[str, str]:
        """Return the named lowered forms that `build` wants of the finished graph, each as the passes that make it."""
        return {}

    @abstractmethod
    def build(self, graph: Graph, programs: Mapping[str, Program]) -> Binary:
        """Return the compiled form of a graph that went through the pipeline, and of its lowered forms."""

    def build_advised(self, graph: Graph, programs: Mapping[str, Program], advice: Advice) -> Binary:
        """Like `build`, with measurements to choose by; a target that chooses nothing needs none."""
        return self.build(graph, programs)

    def tuner(
        self, graph: Graph, programs: Mapping[str, Program], advice: Advice, tracker: Tracker | None = None
    ) -> Tuner:
        """Return what measures this target's kernels, here or on a tracker's machines; UsageError where it has none."""
        raise UsageError(f"target '{self.name}' has nothing to tune", hint="`spqc tune` serves the target llvm")

    def lessons(self) -> Sequence[Lesson]:
        """Return networks to fit the cost function with; UsageError where the target has none."""
        raise UsageError(f"target '{self.name}' has no cost function", hint="`spqc tune --fit` serves the target llvm")

    @classmethod
    def require_ready(cls) -> None:
        """Raise Unavailable where this machine can run no artifact of the target, whoever compiled it; quick."""
        return

    @classmethod
    @abstractmethod
    def open(cls, package: Package) -> Executor:
        """Return an executor for a built package; Unavailable says why this machine has none."""


@dataclass(frozen=True)
class Package:
    """A built network as its executor sees it."""

    graph: Graph
    files: Mapping[str, bytes]
    settings: Mapping[str, Any]
    data: Mapping[str, npt.NDArray[np.int64]]


class Stream(ABC):
    """What one stream of a network keeps between two steps, for `samples` inputs that advance together.

    Several streams of one executor, also in several threads, know nothing of each other.
    """

    samples: int

    @abstractmethod
    def step(self, frame: Array) -> Array:
        """Advance one step by a frame [N, ...] and return integer logits [N, classes]."""

    @abstractmethod
    def states(self) -> Mapping[str, Array]:
        """Return the codes [N, ...] of each state of the graph, by its name."""

    @abstractmethod
    def restore(self, states: Mapping[str, Array]) -> None:
        """Take over what `states` returned of a stream of as many samples; the caller has checked shapes and ranges."""


class Executor(ABC):
    """Runs one compiled network on integer codes; every method may be called from several threads."""

    @abstractmethod
    def run(self, x: Array) -> Array:
        """Return integer logits [N, T, classes] for codes [N, T, ...]; [N, ...] where the input is constant in time."""

    @abstractmethod
    def trace(self, x: Array) -> Observation:
        """Like `run`, with the spikes, state codes and gates of every layer."""

    @abstractmethod
    def stream(self, samples: int) -> Stream:
        """Return a stream of so many samples (1 or more) before its first step."""

    def step(self, frame: Array) -> Array:
        """Advance the executor's own stream, of which there is one; it begins with the first frame [N, ...]."""
        return self._own_stream.step(self.stream, frame)

    def reset(self) -> None:
        """Forget the executor's own stream: the next `step` is the first."""
        self._own_stream.reset()

    def dirty(self, seed: int | None) -> None:
        """Fill all memory that a call may not rely on with seeded garbage before each call; None: leave it be.

        What differs afterwards was read before it was written. An executor without memory of its own does nothing.
        """
        return

    def close(self) -> None:
        """Give back what the executor holds; it is not called afterwards, and neither are its streams."""
        self.reset()

    @property
    def _own_stream(self) -> OwnStream:
        own: OwnStream | None = self.__dict__.get("_own")
        return own or self.__dict__.setdefault("_own", OwnStream())
