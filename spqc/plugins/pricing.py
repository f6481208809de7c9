"""What can be priced: how much of what each kernel of a program does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from spqc.ir.graph import Graph
from spqc.ir.program import Program
from spqc.plugins.target import Advice


@dataclass(frozen=True)
class KernelCount:
    """What one kernel of a program does for one sample, before any price.

    events: additions, multiplications, comparisons, by name, whatever the machine. bytes: moved between kernels and
    memory, by direction. features: what the target's own strategy counts, priced in nanoseconds by its rates.
    measured: whether the input rates that the counts rest on were measured, or assumed.
    """

    kernel: str
    layer: str
    strategy: str
    events: Mapping[str, float]
    bytes: Mapping[str, float]
    features: Mapping[str, float] = field(default_factory=dict)
    measured: bool = False


@runtime_checkable
class Priced(Protocol):
    """A target whose programs can be counted without compiling them."""

    def count(self, graph: Graph, program: Program, advice: Advice) -> Sequence[KernelCount]:
        """Return the counts of each kernel; input rates are those of `advice.chances`, assumed where it has none."""
