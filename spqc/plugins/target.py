"""What compiles for a machine: what only emits, and what also opens what it emitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from spqc.ir.graph import Graph
from spqc.ir.program import Program
from spqc.plugins.executor import Executor, Package


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
    `rates`: for each machine (by the name that the target gives it), strategy and feature, fitted nanoseconds.
    """

    chances: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Emitter(ABC):
    """What compiles a network to files that something else may run; its dataclass fields are its options.

    Abilities that only some have are protocols of their own: `Tunable`, `Priced`.
    """

    name: ClassVar[str]

    @abstractmethod
    def pipeline(self) -> str:
        """Return the passes to run before `emit`, as text."""

    @abstractmethod
    def check(self, graph: Graph) -> list[str]:
        """Return one line for each operator that cannot be carried out exactly, with its place."""

    def lowerings(self) -> Mapping[str, str]:
        """Return the named lowered forms that `emit` wants of the finished graph, each as the passes that make it."""
        return {}

    @abstractmethod
    def emit(self, graph: Graph, programs: Mapping[str, Program], advice: Advice) -> Binary:
        """Return the compiled form of a graph that went through the pipeline, and of its lowered forms.

        advice: measurements to choose by; what chooses nothing ignores it.
        """


class Target(Emitter):
    """A machine to compile for whose artifacts this package also runs, on the machine or in a simulator of it."""

    @classmethod
    def require_ready(cls) -> None:
        """Raise Unavailable where this machine can run no artifact of the target, whoever compiled it; quick."""
        return

    @classmethod
    @abstractmethod
    def open(cls, package: Package) -> Executor:
        """Return an executor for a built package; Unavailable says why this machine has none."""
