"""What deciding neurons costs, and which of them need no steps."""

from __future__ import annotations

from spqc.ir.ops import Automaton
from spqc.ir.program import Program

from .constant_input_spikes import SpikesByPlace, find_spikes
from .constants import Constants
from .geometry import Region

UNROLLED = 64  # thresholds a neuron that are compared straight in registers
PROBE = 8  # comparisons that one step of a bisection is worth, in code and in time


def work(op: Automaton) -> int:
    """Return what deciding one neuron costs, in comparisons."""
    rows, steps, _ = op.type_of(2).shape
    return rows * steps if rows * steps <= UNROLLED else PROBE * steps.bit_length()


def thresholds(region: Region) -> int:
    """Return how many comparisons one neuron of the region is worth, 1 without a table."""
    return work(region.neuron) if isinstance(region.neuron, Automaton) else 1


def constant_input_spikes(program: Program, region: Region, constants: Constants) -> SpikesByPlace | None:
    """Return the spikes by place of a region whose sum is constant; None where its neurons go step by step."""
    op, buffer = region.epilogue[0] if len(region.epilogue) == 1 else None, program.buffer_of.get(region.result.name)
    if region.sum is None or not region.sum.constant or region.sum.bits > 32 or program.mode != "fused":
        return None
    if not isinstance(op, Automaton) or op.reads or buffer is None or buffer.kind != "bits":
        return None
    theta, steps, channels = op.inputs[2].name, program.steps, op.out.type.shape[0]
    spikes: SpikesByPlace = constants.cached(
        ("constant input spikes", theta, op.following, op.fires, op.carry, channels, steps),
        lambda: find_spikes(op, constants.graph.data[theta], channels, steps),
    )
    return spikes if spikes.count <= steps * work(op) else None
