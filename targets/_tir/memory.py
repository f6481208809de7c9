"""The memory a compiled function sees: one buffer parameter for each way of looking at each region of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir import Value
from spqc.ir.program import Buffer, Program

from .._plan.geometry import Map, map_of
from .._plan.signature import REGIONS, VIEWS
from .vector import Expr, bind, broadcast, cast, i32, lanes, store, width

_WIDTH = {"8": 1, "16": 2, "32": 4, "64": 8}


def itemsize(dtype: str) -> int:
    return next(size for bits, size in _WIDTH.items() if dtype.endswith(bits))


@dataclass
class Memory:
    """The parameters of one function: `views[region][dtype]` is a flat buffer."""

    samples: Expr
    traced: Expr
    views: dict[str, dict[str, Any]]

    @classmethod
    def parameters(cls) -> Memory:
        """Declare the parameters in the order of the signature."""
        samples, traced = T.arg("samples", T.int32()), T.arg("traced", T.int32())
        views: dict[str, dict[str, Any]] = {}
        for region in REGIONS:
            views[region] = {}
            for dtype in VIEWS[region]:
                size = tirx.Var(f"n_{region}_{dtype}", "int32")
                views[region][dtype] = T.arg(f"{region}_{dtype}", T.buffer((size,), dtype))
        return cls(samples, traced, views)

    def view(self, region: str, dtype: str) -> Any:
        return self.views[region][dtype]


@dataclass(frozen=True)
class Place:
    """A value in memory: how to load and store a vector of its channels at a step and a pixel."""

    memory: Memory
    region: str
    dtype: str
    base: Expr  # in elements
    steps: int
    packed: bool
    map: Map

    @property
    def channels(self) -> int:
        return self.map.padded

    def index(self, step: Expr, pixel: Expr, channel: Expr) -> Expr:
        row = pixel if self.packed or self.steps == 1 else step * self.map.pixels + pixel
        return self.base + row * self.channels + channel

    def load(self, step: Expr, pixel: Expr, channel: Expr, dtype: str = "int32") -> Expr:
        """Return a vector of elements as `dtype`."""
        raw = self.memory.view(self.region, self.dtype)[lanes(self.index(step, pixel, channel))]
        wide = cast(raw, dtype)
        if not self.packed:
            return wide
        return (wide >> broadcast(step.astype(dtype))) & broadcast(tirx.const(1, dtype))

    def element(self, step: Expr, pixel: Expr, channel: Expr) -> Expr:
        """Return one element as int32."""
        raw = self.memory.view(self.region, self.dtype)[self.index(step, pixel, channel)].astype("int32")
        return (raw >> step) & i32(1) if self.packed else raw

    def put(self, step: Expr, pixel: Expr, channel: Expr, value: Expr) -> None:
        """Store one element where steps are not packed."""
        buffer = self.memory.view(self.region, self.dtype)
        T.buffer_store(buffer, value.astype(self.dtype), [self.index(step, pixel, channel)])

    def load_word(self, pixel: Expr, channel: Expr) -> Expr:
        """Return a vector of containers of packed steps as int32."""
        return cast(self.memory.view(self.region, self.dtype)[lanes(self.index(i32(0), pixel, channel))], "int32")

    def store(self, step: Expr, pixel: Expr, channel: Expr, value: Expr) -> None:
        """Store a vector of elements (or, for packed steps, of whole containers)."""
        store(self.memory.view(self.region, self.dtype), self.index(step, pixel, channel), cast(value, self.dtype))

    def clear(self) -> None:
        """Zero every element."""
        rows = (1 if self.packed else self.steps) * self.map.pixels * self.channels // width()
        with T.serial(0, rows) as row:
            zero = broadcast(tirx.const(0, self.dtype))
            store(self.memory.view(self.region, self.dtype), self.base + row * width(), zero)


def place(memory: Memory, buffer: Buffer) -> Place:
    """Return where an arena buffer lies."""
    sign = "int" if buffer.kind == "words" else "uint"
    dtype = f"{sign}{buffer.word_bits}"
    base = i32((buffer.offset or 0) // itemsize(dtype))
    return Place(
        memory, "arena", dtype, base, buffer.steps, buffer.kind == "bits", map_of(buffer.value, buffer.layout.tile)
    )


def result_place(memory: Memory, buffer: Buffer, sample: Expr) -> Place:
    """Return where a result of the network lies for one sample."""
    size = buffer.steps * buffer.pixels * buffer.channels
    return Place(
        memory, "result", "int32", bind(sample * size), buffer.steps, False, map_of(buffer.value, buffer.layout.tile)
    )


def imported_place(memory: Memory, value: Value, steps: int, offset: int, tile: int) -> Place:
    """Return where the copy of a network input lies, in the order of every other value."""
    return Place(memory, "arena", "uint8", i32(offset), steps, False, map_of(value, tile))


def input_index(program: Program, value: Value, sample: Expr, step: Expr, channel: Expr, pixel: Expr) -> Expr:
    """Return the index of one input code: inputs arrive as [sample][t][channel][pixel] bytes."""
    m = map_of(value, program.layout.tile)
    steps = 1 if value.type.clock == "const" else program.steps
    row = sample * steps + step if steps > 1 else sample
    return (row * m.channels + channel) * m.pixels + pixel
