"""What every neuron has in common: it reads a charge and its states, and gives spikes and its next states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..op import Op
from ..value import Value


@dataclass(frozen=True)
class Spiking(Op):
    """A neuron: operand 0 is its charge, the next `memory` operands are states; results are spikes and next states."""

    memory: ClassVar[int] = 1

    @property
    def low(self) -> int:
        """The smallest state code, where a state is the code of a level; 0 where it is the membrane itself."""
        return 0

    @property
    def state_inputs(self) -> tuple[Value, ...]:
        """The states that it reads, `memory` of them."""
        return self.inputs[1 : 1 + self.memory]

    @property
    def state_outputs(self) -> tuple[Value, ...]:
        """The next states, in the order of `state_inputs`."""
        return self.outputs[1 : 1 + self.memory]
