"""What can be priced: a target that counts what each kernel of a program does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from spqc.ir.graph import Graph
from spqc.ir.program import Program
from spqc.plugins.target import Advice


@dataclass(frozen=True)
class KernelCount:
    """What one kernel does in one call of its program, for one sample, before any price.

    events: `dense` multiply-accumulates, `synaptic` ones (of inputs that are not 0), those `executed` by the strategy,
    `gate` multiply-accumulates of a channel gate, `membrane` updates of stored states. bytes: `weights` at their true
    width (tables of thresholds included), `inputs` read and `outputs` written between kernels in the program's layout,
    `states` read and written (none where all steps run inside). features: what the target's strategy counts for its own
    cost function, priced by its rates in nanoseconds. rates_measured: whether input rates were measured, not assumed.
    """

    kernel: str
    layer: str
    strategy: str
    events: Mapping[str, float]
    bytes: Mapping[str, float]
    features: Mapping[str, float] = field(default_factory=dict)
    rates_measured: bool = False


@runtime_checkable
class Priced(Protocol):
    """A target whose programs can be counted without compiling them."""

    def count(self, graph: Graph, program: Program, advice: Advice) -> Sequence[KernelCount]:
        """Return the counts of each kernel; input rates are those of `advice.chances`, assumed where it has none."""
