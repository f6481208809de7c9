"""What can be tuned: kernels with several ways to compute them, and networks to fit a cost function with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from spqc.ir.graph import Graph
from spqc.ir.program import Program
from spqc.plugins.target import Advice


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


@runtime_checkable
class Tunable(Protocol):
    """A target whose kernels can be measured, and whose cost function can be fitted to a machine."""

    def tuner(
        self, graph: Graph, programs: Mapping[str, Program], advice: Advice, tracker: Tracker | None = None
    ) -> Tuner:
        """Return what measures this target's kernels, here or on a tracker's machines."""

    def lessons(self) -> Sequence[Lesson]:
        """Return networks to fit the cost function with."""
