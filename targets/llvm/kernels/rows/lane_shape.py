"""Whether the neurons behind rows of sums may run in lane order, and how their vectors lie. No TVM.

Everything else takes the transposed way (`rows`): neurons that are no short table, states between calls, other
operators between the sum and the neuron than the one that combines it with a second sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from spqc.ir import Value
from spqc.ir.ops import Automaton, Combine, MaxPool
from spqc.ir.program import Program
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.geometry import Region
from spqc.targets._plan.machine import Machine
from spqc.targets._plan.threshold_tables import Entries
from spqc.targets._tir.width import LANES

from .byte_permutes import permute_of

_VECTOR = 64  # bytes
_STEPS = 16  # bits of the widest container of spikes
_STATES = 16  # a byte of a trace holds the spike and the state


class RowShape(Protocol):
    """Where sums lie in a row: lane `step * step_stride + pixel` is the output at a chunk's `pixel`.

    `lanes` (whole vectors) is the length of a row; `chunk` pixels are finished at a time, `chunks` times, over a
    map of `pixels`, `out_width` a row.
    """

    @property
    def lanes(self) -> int: ...
    @property
    def step_stride(self) -> int: ...
    @property
    def chunk(self) -> int: ...
    @property
    def chunks(self) -> int: ...
    @property
    def pixels(self) -> int: ...
    @property
    def out_width(self) -> int: ...


@dataclass(frozen=True)
class Operand:
    """What neurons read besides their rows: a residual's identities, or a second sum.

    `planes` of elements of `dtype`, one for each step, or one alone where steps are packed.
    """

    value: Value
    dtype: str
    planes: int


@dataclass(frozen=True)
class LaneShape:
    """Vectors of `count` lanes: `pixels_per_vector` pixels of each of
    `channels_per_vector` channels; spikes lie [channel][`stride` pixels].

    Byte offsets are those of scratch memory behind the rows: packed spikes, what is transposed, the operand, traces.
    """

    op: Automaton
    rows: RowShape
    sums: str  # type of what the rows hold
    dtype: str  # of what is compared
    word: str  # of packed spikes
    steps: int
    thresholds: int
    entries: Entries
    combine: Combine | None
    operand: Operand | None
    first_outcome: int  # an outcome that leaves the first state
    channels_per_vector: int = field(init=False)

    def __post_init__(self) -> None:
        side_by_side = self.count // LANES if self.stride == LANES and not self.gated else 1
        object.__setattr__(self, "channels_per_vector", side_by_side)

    @property
    def gated(self) -> bool:
        return self.entries.gated

    @property
    def count(self) -> int:
        return _VECTOR // item(self.dtype)

    @property
    def pixels_per_vector(self) -> int:
        return self.count // self.channels_per_vector

    @property
    def stride(self) -> int:
        return LANES if self.rows.chunk <= LANES else -(-self.rows.chunk // _VECTOR) * _VECTOR

    @property
    def vectors(self) -> int:
        """Vectors of a channel's pixels (or of several channels')."""
        return -(-self.rows.chunk // self.pixels_per_vector)

    @property
    def share(self) -> int:
        """Entries of a table that belong to one channel."""
        return self.count // self.channels_per_vector

    @property
    def tables(self) -> int:
        """Vectors of thresholds of one group of channels."""
        return self.thresholds * (2 if self.gated else 1)

    @property
    def plane(self) -> int:
        """Elements of 16 channels, and what vectors at their end may touch."""
        return LANES * self.stride + _VECTOR

    @property
    def turned_at(self) -> int:
        return self.plane * item(self.word)

    @property
    def operand_at(self) -> int:
        size = max(item(self.word), item(self.operand.dtype) if self.operand else 1)
        return self.turned_at + LANES * max(self.stride, _VECTOR) * size

    @property
    def traced_at(self) -> int:
        size = self.operand.planes * item(self.operand.dtype) if self.operand else 0
        return self.operand_at + size * self.plane

    @property
    def bytes(self) -> int:
        return self.traced_at + self.steps * self.plane


def item(dtype: str) -> int:
    """Return the bytes of an element."""
    return int(dtype.removeprefix("u").removeprefix("int")) // 8


def lane_shape(
    program: Program, region: Region, rows: RowShape, constants: Constants, machine: Machine
) -> LaneShape | None:
    """Return the shape of a region's neurons in lane order; None where the transposed way takes them."""
    permute = permute_of(machine.features)
    if permute is None or permute.vector != _VECTOR:
        return None
    neurons = _neuron(region)
    if neurons is None or region.sum is None or program.mode != "fused" or program.steps > _STEPS:
        return None
    op, combine = neurons
    if op.states > _STATES or "direction" in op.reads or 0 not in op.following:
        return None
    word = "uint8" if program.steps <= 8 else "uint16"
    sums = "int16" if region.sum.bits <= 16 else "int32"
    read = combine.inputs[1] if combine else op.inputs[op.operand("identity") or 0] if "identity" in op.reads else None
    operand = _stored(program, read) if read is not None else None
    if (read is not None and operand is None) or not _takes(program, region, word):
        return None
    inputs = region.kernel.ops[0].type_of(0).range[1]
    if combine is None and constants.largest_sum(region.sum, inputs) >= 2 ** (8 * item(sums) - 1) - 1:
        return None  # a threshold that no sum reaches would be reached
    shape = LaneShape(
        op,
        rows,
        sums,
        "int32" if combine else sums,
        word,
        program.steps,
        len(op.following) - 1,
        Entries.of(op),
        combine,
        operand,
        op.following.index(0),
    )
    return shape if len(op.following) * op.identities <= shape.share else None


def _neuron(region: Region) -> tuple[Automaton, Combine | None] | None:
    """Return the neuron, and what combines the sum with another before it; None where the epilogue is anything else."""
    match region.epilogue:
        case (Automaton() as op,):
            return op, None
        case (Combine() as combine, Automaton() as op) if combine.out.type.bits <= 32 and op.identities == 1:
            return op, combine
    return None


def _stored(program: Program, value: Value) -> Operand | None:
    """Return how a value lies in the arena; None where neurons in lane order cannot read it."""
    name = program.views.get(value.name, value.name)
    if name in {v.name for v in program.graph.outputs} or value.type.clock == "const":
        return None
    buffer = program.buffer_of.get(name)
    if buffer is None:
        return Operand(value, "uint8", program.steps)
    if buffer.word_bits > (32 if buffer.kind == "words" else 16):
        return None
    sign = "int" if buffer.kind == "words" else "uint"
    return Operand(value, f"{sign}{buffer.word_bits}", 1 if buffer.kind == "bits" else program.steps)


def _takes(program: Program, region: Region, word: str) -> bool:
    """Return whether the result's buffer takes packed spikes, or sums of a window's spikes, as they are made here."""
    buffer = program.buffer_of.get(region.result.name)
    if buffer is None or region.result in program.graph.outputs or buffer.kind == "words":
        return False
    return buffer.kind == "bytes" or buffer.word_bits == 8 * item(word)


def packs(steps: int, packed: bool, region: Region) -> bool:
    """Return whether a pixel's result is one container of all its steps."""
    return packed or (steps == 1 and (region.pool is None or isinstance(region.pool, MaxPool)))
