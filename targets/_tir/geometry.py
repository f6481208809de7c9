"""The shape of one kernel's work, read off its operators: everything an emitter needs, and no TVM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spqc.ir import Op, Value
from spqc.ir.ops import Automaton, Conv2d, Flatten, GlobalSum, Linear, MaxPool, Neuron, Repeat, SumPool
from spqc.ir.program import LANES, Kernel, Program

Pool = SumPool | MaxPool


def padded(channels: int) -> int:
    """Return a channel count rounded up to whole vectors."""
    return -(-channels // LANES) * LANES


@dataclass(frozen=True)
class Map:
    """A value's map: channels, rows, columns (a vector is a map of one pixel)."""

    channels: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


def map_of(value: Value) -> Map:
    shape = value.type.shape
    return Map(*shape) if len(shape) == 3 else Map(shape[0], 1, 1)


@dataclass(frozen=True)
class WeightedSum:
    """A convolution; a linear layer is one whose kernel covers the whole map it flattens."""

    source: Value
    weight: Value
    input: Map
    output: Map
    kernel: tuple[int, int]
    stride: int
    padding: int
    groups: int
    multiply: str
    bits: int
    constant: bool


def weighted_sum(program: Program, op: Conv2d | Linear) -> WeightedSum:
    """Return the geometry of a sum, looking through the view that flattens its input."""
    source = op.inputs[0]
    base = program.graph.values[program.views.get(source.name, source.name)]
    wide = map_of(base)
    constant = op.out.type.clock == "const"
    if isinstance(op, Conv2d):
        kernel = (op.inputs[1].type.shape[2], op.inputs[1].type.shape[3])
        stride, padding, groups = op.stride, op.padding, op.groups
    else:
        kernel = (wide.height, wide.width)
        stride, padding, groups = 1, 0, 1
    return WeightedSum(
        base,
        op.inputs[1],
        wide,
        map_of(op.out),
        kernel,
        stride,
        padding,
        groups,
        op.multiply,
        op.out.type.bits,
        constant,
    )


@dataclass(frozen=True)
class Region:
    """One kernel split into its parts."""

    kernel: Kernel
    sum: WeightedSum | None
    tail: tuple[Op, ...]
    neuron: Automaton | Neuron | None
    pool: Pool | None

    @property
    def last(self) -> Op:
        """The operator whose result leaves the registers (before any pooling)."""
        return self.kernel.ops[-2] if self.pool is not None else self.kernel.ops[-1]

    @property
    def result(self) -> Value:
        return self.kernel.ops[-1].out


def region(program: Program, kernel: Kernel) -> Region:
    first = kernel.ops[0]
    head = weighted_sum(program, first) if isinstance(first, Conv2d | Linear) else None
    rest = kernel.ops[1:] if head is not None else kernel.ops
    pool = rest[-1] if rest and isinstance(rest[-1], SumPool | MaxPool) else None
    tail = tuple(op for op in (rest[:-1] if pool is not None else rest) if not isinstance(op, Repeat))
    neuron = next((op for op in tail if isinstance(op, Automaton | Neuron)), None)
    return Region(kernel, head, tail, neuron, pool)


def is_view(kernel: Kernel) -> bool:
    return isinstance(kernel.ops[0], Repeat | Flatten)


def is_count(kernel: Kernel) -> bool:
    return isinstance(kernel.ops[0], GlobalSum)


def is_pool(kernel: Kernel) -> bool:
    return isinstance(kernel.ops[0], SumPool | MaxPool)


@dataclass(frozen=True)
class TraceSlot:
    """Where one value of the trace lies, per sample: [t][pixel][padded channel] bytes.

    A neuron's byte is spike | index << 1.
    """

    name: str
    kind: str
    origin: str
    offset: int
    map: Map

    @property
    def bytes_a_step(self) -> int:
        return self.map.pixels * padded(self.map.channels)


def trace_slots(program: Program, steps: int) -> dict[str, TraceSlot]:
    """Return the trace slots by value name: each neuron's spikes and states, each gate."""
    slots: dict[str, TraceSlot] = {}
    offset = 0
    for op in (op for kernel in program.kernels for op in kernel.ops):
        kind = "neuron" if isinstance(op, Automaton | Neuron) else "gate" if op.name == "greater" else ""
        if kind:
            slot = TraceSlot(op.out.name, kind, op.origin, offset, map_of(op.out))
            slots[op.out.name] = slot
            offset += slot.bytes_a_step * steps
    return slots


def trace_bytes(slots: Mapping[str, TraceSlot], steps: int) -> int:
    return sum(slot.bytes_a_step * steps for slot in slots.values())


@dataclass(frozen=True)
class StateSlot:
    """Where one layer's states lie packed: `bits` each, LANES of them in one word of LANES * bits bits."""

    name: str
    offset: int
    bits: int
    low: int
    map: Map

    @property
    def word_bits(self) -> int:
        return LANES * self.bits

    @property
    def bytes(self) -> int:
        size = self.map.pixels * padded(self.map.channels) * self.bits // 8
        return -(-size // 64) * 64


def state_slots(program: Program) -> dict[str, StateSlot]:
    """Return the packed place of every state, by its name; a state's code is stored less its smallest."""
    slots: dict[str, StateSlot] = {}
    offset = 0
    for value in program.graph.states:
        low, high = value.type.range
        low = max(low, lowest_code(program, value))
        bits = next(b for b in (1, 2, 4) if high - low < 2**b)
        slots[value.name] = StateSlot(value.name, offset, bits, low, map_of(value))
        offset += slots[value.name].bytes
    return slots


def lowest_code(program: Program, state: Value) -> int:
    """Return the smallest state code the neuron of this state uses."""
    for op in program.graph.ops:
        if isinstance(op, Automaton | Neuron) and op.inputs[1] == state:
            return op.low
    return state.type.range[0]
