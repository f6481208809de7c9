"""What can be priced: a target that counts what each kernel of a program does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from spqc.cost.kernel_counts import KernelCount
from spqc.ir.graph import Graph
from spqc.ir.program import Program
from spqc.plugins.target import Advice

__all__ = ["KernelCount", "Priced"]


@runtime_checkable
class Priced(Protocol):
    """A target whose programs can be counted without compiling them."""

    def count(self, graph: Graph, program: Program, advice: Advice) -> Sequence[KernelCount]:
        """Return the counts of each kernel; input rates are those of `advice.chances`, assumed where it has none."""
