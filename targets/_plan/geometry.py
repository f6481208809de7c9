"""The shape of one kernel's work, read off its operators: everything an emitter needs, and no TVM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spqc.ir import Op, Value
from spqc.ir.ops import Conv, Flatten, Linear, MaxPool, Repeat, Spiking, SumPool
from spqc.ir.program import Kernel, Program

Pool = SumPool | MaxPool


def padded(channels: int, tile: int) -> int:
    """Return a channel count rounded up to whole tiles."""
    return -(-channels // tile) * tile


@dataclass(frozen=True)
class Map:
    """A value's map: channels, rows, columns, layers of depth; a line is one row, a vector a map of one pixel.

    tile: the channels of a pixel are padded to whole tiles of so many, as the program's layout says.
    """

    channels: int
    height: int
    width: int
    depth: int = 1
    tile: int = 1

    @property
    def padded(self) -> int:
        """The channels of a pixel with those that fill up the last tile."""
        return padded(self.channels, self.tile)

    @property
    def rows(self) -> int:
        """The rows of all layers: the pixel of row r and column x is r * width + x."""
        return self.depth * self.height

    @property
    def pixels(self) -> int:
        return self.rows * self.width


def map_of(value: Value, tile: int) -> Map:
    """Return the map of a value whose channels lie in tiles of so many."""
    channels, *sides = value.type.shape
    depth, height, width = solid(sides)
    return Map(channels, height, width, depth, tile)


def solid(sides: Sequence[int], missing: int = 1) -> tuple[int, int, int]:
    """Return (depth, rows, columns) of an entry for each axis of a map; `missing` for the axes that it lacks."""
    depth, rows, columns = (missing,) * (3 - len(sides)) + tuple(sides)
    return depth, rows, columns


@dataclass(frozen=True)
class Layers:
    """How a kernel moves along the depth of a map."""

    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True)
class WeightedSum:
    """A convolution; a linear layer is one whose kernel covers the whole map it flattens.

    `kernel`, `stride` and `padding` are (rows, columns). A kernel with depth has the rows of all its layers, one layer
    after another, as a map has; `layers` says how it moves along the depth.
    """

    source: Value
    weight: Value
    input: Map
    output: Map
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    multiply: str
    bits: int
    constant: bool
    layers: Layers | None = None  # None: maps of rows and columns alone

    @property
    def margins(self) -> tuple[int, int, int]:
        """Return how many zeros (layers, rows, columns) lie on each side of the input."""
        return (self.layers.padding if self.layers is not None else 0, *self.padding)


def weighted_sum(program: Program, op: Conv | Linear) -> WeightedSum:
    """Return the geometry of a sum, looking through the view that flattens its input."""
    source = op.inputs[0]
    base = program.graph.values[program.views.get(source.name, source.name)]
    tile = program.layout.tile
    wide = map_of(base, tile)
    constant = op.out.type.clock == "const"
    layers = None
    if isinstance(op, Conv):
        (depth, *kernel), (over, *stride), (edge, *padding) = (
            solid(sides, missing) for sides, missing in zip(op.sides, (1, 1, 0), strict=True)
        )
        layers = Layers(depth, over, edge) if op.axes == 3 else None
        kernel[0] *= depth
        groups = op.groups
    else:
        kernel, stride, padding, groups = [wide.rows, wide.width], [1, 1], [0, 0], 1
    return WeightedSum(
        base,
        op.inputs[1],
        wide,
        map_of(op.out, tile),
        (kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (padding[0], padding[1]),
        groups,
        op.multiply,
        op.out.type.bits,
        constant,
        layers,
    )


@dataclass(frozen=True)
class Region:
    """One kernel split into its parts."""

    kernel: Kernel
    sum: WeightedSum | None
    epilogue: tuple[Op, ...]
    neuron: Spiking | None
    pool: Pool | None

    @property
    def pooled_rows(self) -> int:
        """The rows that one row of the result pools, 1 without a pooling."""
        return self.pool.kernel[0] if self.pool is not None else 1

    @property
    def last(self) -> Op:
        """The operator whose result leaves the registers (before any pooling)."""
        return self.kernel.ops[-2] if self.pool is not None else self.kernel.ops[-1]

    @property
    def result(self) -> Value:
        return self.kernel.ops[-1].out


def region(program: Program, kernel: Kernel) -> Region:
    first = kernel.ops[0]
    head = weighted_sum(program, first) if isinstance(first, Conv | Linear) else None
    rest = kernel.ops[1:] if head is not None else kernel.ops
    pool = rest[-1] if rest and isinstance(rest[-1], SumPool | MaxPool) else None
    epilogue = tuple(op for op in (rest[:-1] if pool is not None else rest) if not isinstance(op, Repeat))
    neuron = next((op for op in epilogue if isinstance(op, Spiking)), None)
    return Region(kernel, head, epilogue, neuron, pool)


def is_view(kernel: Kernel) -> bool:
    return isinstance(kernel.ops[0], Repeat | Flatten)


def is_wide(kernel: Kernel) -> bool:
    return isinstance(kernel.ops[0], Linear) and kernel.ops[0].is_wide


@dataclass(frozen=True)
class TraceSlot:
    """Where one value of the trace lies, per sample: [t][pixel][padded channel] elements of `bits`, 8 or 32.

    A neuron's element is spike | state << 1; its second state has a slot of its own, of kind `state`, without spikes.
    """

    name: str
    kind: str
    origin: str
    offset: int
    map: Map
    bits: int = 8

    @property
    def bytes_a_step(self) -> int:
        return self.map.pixels * self.map.padded * self.bits // 8


def trace_slots(program: Program, steps: int) -> dict[str, TraceSlot]:
    """Return the trace slots by value name: each neuron's spikes and states, each gate."""
    slots: dict[str, TraceSlot] = {}
    offset = 0
    for op in (op for kernel in program.kernels for op in kernel.ops):
        for value, kind, bits in _traced(op):
            slots[value.name] = TraceSlot(value.name, kind, op.origin, offset, map_of(value, program.layout.tile), bits)
            offset += slots[value.name].bytes_a_step * steps
    return slots


def _traced(op: Op) -> list[tuple[Value, str, int]]:
    """Return (value, kind, bits of an element) of what a trace keeps of one operator."""
    if isinstance(op, Spiking):
        bits = [8 if state_bits(op, value) < 8 else 32 for value in op.state_inputs]
        return [(op.out, "neuron", bits[0]), *((v, "state", 32) for v in op.state_outputs[1:])]
    return [(op.out, "gate", 8)] if op.name == "greater" else []


def trace_bytes(slots: Mapping[str, TraceSlot], steps: int) -> int:
    return sum(slot.bytes_a_step * steps for slot in slots.values())


@dataclass(frozen=True)
class StateSlot:
    """Where one layer's states lie, `bits` each: 1 to 8 for codes less the smallest, `low`; 16 or 32 for integers."""

    name: str
    offset: int
    bits: int
    low: int
    map: Map

    @property
    def bytes(self) -> int:
        size = self.map.pixels * self.map.padded * self.bits // 8
        return -(-size // 64) * 64


def state_slots(program: Program) -> dict[str, StateSlot]:
    """Return the packed place of every state, by its name; a state's code is stored less its smallest."""
    slots: dict[str, StateSlot] = {}
    offset = 0
    for value in program.graph.states:
        neuron = neuron_of(program, value)
        laid = map_of(value, program.layout.tile)
        slots[value.name] = StateSlot(value.name, offset, state_bits(neuron, value), neuron.low, laid)
        offset += slots[value.name].bytes
    return slots


def state_bits(neuron: Spiking, state: Value) -> int:
    """Return how many bits of memory one state takes: whole integers where the membrane is one, else packed codes."""
    low, high = state.type.range
    if low < neuron.low and neuron.low == 0:
        return 16 if state.type.bits <= 16 else 32
    return next(b for b in (1, 2, 4, 8, 16, 32) if high - max(low, neuron.low) < 2**b)


def neuron_of(program: Program, state: Value) -> Spiking:
    """Return the neuron that keeps a state."""
    return next(op for op in program.graph.ops if isinstance(op, Spiking) and state in op.state_inputs)
