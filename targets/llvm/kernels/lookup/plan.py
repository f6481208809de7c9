"""What the look-up kernel of one sum does: lanes, digits, periods."""

from __future__ import annotations

from dataclasses import dataclass

from spqc.targets._plan.constants import Constants
from spqc.targets._plan.digits import Digits
from spqc.targets._plan.geometry import WeightedSum

from ..rows.byte_permutes import Permute
from .lanes import Lanes, choose_lanes


@dataclass(frozen=True)
class Plan:
    """What the kernel of one sum does: its lanes, and a pass for each digit of the weights and bit of the inputs."""

    lanes: Lanes
    digits: tuple[Digits, ...]
    periods: tuple[int, ...]  # groups an accumulator may sum, for each digit
    planes: int  # bits of an input that are looked up

    @property
    def groups(self) -> int:
        """Look-ups for one output, digit and bit."""
        return self.lanes.slots * self.lanes.rows

    @property
    def planes_per_pass(self) -> int:
        """How many bits are looked up in a table while it is in its register: all, where few vectors are summed."""
        n = self.lanes
        return self.planes if self.planes * n.vectors * n.outputs <= n.permute.registers else 1


def make_plan(conv: WeightedSum, constants: Constants, steps: int, planes: int, permute: Permute) -> Plan:
    """Return the plan of a sum whose weights have digits."""
    lanes = choose_lanes(conv, steps, permute)
    periods = constants.flush_periods(conv, lanes.rows_inside, permute.inputs)
    return Plan(lanes, constants.digits(conv.weight), periods, planes)
