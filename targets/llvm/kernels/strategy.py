"""A strategy of the CPU: a plan (`spqc.targets._plan.strategy`) that also emits its kernel."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from spqc.targets._plan.geometry import Region
from spqc.targets._plan.strategy import Settings, Strategy

if TYPE_CHECKING:  # planning needs no TVM
    from spqc.targets._tir.context import Context


class KernelStrategy(Strategy):
    """One way to emit a kernel that begins with a weighted sum. Every way gives the same integers.

    Its module imports emitters inside `emit`, so that predicting needs no TVM.
    """

    @abstractmethod
    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        """Emit the kernel: sum, neuron over all steps, pooling and packing."""
