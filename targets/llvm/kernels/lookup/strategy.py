"""Look-up: sums of 6 spikes at a time come out of tables in registers (AVX-512 VBMI); of 4 on other CPUs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.constants import Constants
from spqc.targets._plan.geometry import Region, WeightedSum
from spqc.targets._plan.machine import Machine
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from ..rows.byte_permutes import permute_of
from ..rows.plan import comparisons
from ..rows.planes import PlaneStrategy, planes_of, refused
from .lanes import Lanes
from .plan import Plan, make_plan

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context


class LookUpSum(PlaneStrategy):
    """Weights in few digits over inputs of few bits; `dense` for everything else."""

    name: ClassVar[str] = "lookup"
    rates: ClassVar[Mapping[str, float]] = {
        "lookup": 0.125,
        "flush": 0.75,
        "widened": 0.0,
        "neuron": 0.3,
        "gathered": 0.0,
        "staged": 1.5,
        "ordered": 0.0,
        "kernel": 1500.0,
        "listed": 0.7,
        "raised": 0.8,
        "transposed": 1.3,
    }

    def refuses(self, site: Site) -> str:
        conv = site.sum
        if permute_of(site.machine.features) is None:
            return "the CPU has no byte permutes"
        unfit = refused(site)
        if unfit:
            return unfit
        if conv.layers is not None or conv.input.depth > 1 or conv.output.depth > 1:
            return "its map has depth"
        if conv.groups > 1 or conv.stride[1] > 2 or conv.bits > 32:
            return "groups, strides above 2 and sums above 32 bits are not looked up"
        if not site.constants.digits(conv.weight):
            return "its weights do not split into few small digits"
        return ""

    def rows(self, site: Site) -> Lanes:
        return _plan(site.sum, site.machine, site.constants, site.program.steps, 1).lanes

    def whole(self, site: Site, planes: int) -> Mapping[str, float]:
        """`lookup`: vectors looked up, or loaded as tables; `flush`: accumulators widened; `widened`: of those, to 32
        bits; `neuron`: comparisons of vectors; `gathered`: vectors of index bytes made; `staged`: rows of them copied;
        `ordered`: vectors of them brought into the order in which they are read."""
        conv = site.sum
        plan = _plan(conv, site.machine, site.constants, site.program.steps, planes)
        n = plan.lanes
        tiles = conv.output.padded // LANES
        passes = tiles * LANES * n.chunks * n.windows * plan.planes
        inputs = n.permute.inputs
        turns = sum(n.vectors + inputs / digits.split(inputs) / plan.planes_per_pass for digits in plan.digits)
        flushes = passes * sum(math.ceil(plan.groups / period) for period in plan.periods)
        each = plan.planes * site.program.steps
        rows = n.slots * each * (conv.output.height + n.rows - 1)
        gathered = each * math.ceil(conv.input.channels / inputs) * math.ceil(conv.input.pixels / n.vector)
        ordered = 0 if n.narrow else plan.planes * n.chunks * n.windows * n.slots * n.rows * n.vectors
        return {
            "lookup": float(passes * plan.groups * turns),
            "flush": float(flushes * n.vectors),
            "widened": float(flushes * n.vectors) if conv.bits > 16 else 0.0,
            "neuron": float(comparisons(site, n)),
            "gathered": float(gathered),
            "staged": float(rows),
            "ordered": float(ordered),
            "kernel": 1.0,
        }

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import LookUp

        conv = region.sum
        if conv is None:
            raise TypeError("a look-up begins with a sum")
        plan = _plan(conv, context.machine, context.constants, context.steps, planes_of(conv, settings))
        LookUp.of(context, region, plan).emit()


def _plan(conv: WeightedSum, machine: Machine, constants: Constants, steps: int, planes: int) -> Plan:
    permute = permute_of(machine.features)
    if permute is None:
        raise TypeError("a strategy that refuses is not asked")
    return make_plan(conv, constants, steps, planes, permute)


STRATEGY = LookUpSum
