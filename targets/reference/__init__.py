"""The interpreter as a target: slow, exact, on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from spqc.ir import Graph
from spqc.ir.program import Program
from spqc.plugins.executor import Executor, Package
from spqc.plugins.target import Advice, Binary, Target


@dataclass(frozen=True)
class Reference(Target):
    """Runs the graph in the interpreter; `optimise=true` runs the passes that any target may use first."""

    optimise: bool = False
    name: ClassVar[str] = "reference"

    def pipeline(self) -> str:
        return "fold-neurons,remove-dead" if self.optimise else "remove-dead"

    def check(self, graph: Graph) -> list[str]:
        return []

    def emit(self, graph: Graph, programs: Mapping[str, Program], advice: Advice) -> Binary:
        return Binary({})

    @classmethod
    def open(cls, package: Package) -> Executor:
        from .executor import ReferenceExecutor

        return ReferenceExecutor(package.graph)


PLUGIN = Reference
