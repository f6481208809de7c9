"""The lowered form: a graph cut into kernels, with the layout and place of every buffer between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from spqc.foundation.errors import GraphError

from .graph import Graph
from .layout import PLAIN, Layout
from .op import Op
from .ops import Flatten, Repeat
from .value import Value

Kind = Literal["bytes", "bits", "channel_bits", "words"]
Mode = Literal["fused", "stepped"]
Time = Literal["fused", "stepped", "once"]


@dataclass(frozen=True)
class Buffer:
    """Where a value lives between kernels, for one sample.

    kind: `bytes`: one uint8 an element and step, [t][pixel][channel], pixels as the map's axes order them. `bits`: one
    bit an element and step, the steps of an element in one container, [pixel][channel]. `channel_bits`: one bit an
    element and step, the channels of a pixel side by side, [t][pixel][byte of 8 channels], the first channel lowest.
    `words`: one int16, int32 or int64 an element and step. layout: the program's; channels are padded to its tiles.
    """

    value: Value
    kind: Kind
    steps: int
    word_bits: int = 8
    offset: int | None = None
    layout: Layout = PLAIN

    @property
    def pixels(self) -> int:
        """The number of positions of the map, 1 for a vector."""
        return math.prod(self.value.type.shape[1:])

    @property
    def channels(self) -> int:
        """The padded number of channels."""
        return self.layout.padded(self.value.type.shape[0])

    @property
    def alignment(self) -> int:
        """Bytes of whose multiple the buffer's place is: the layout's, and that of its words."""
        return max(self.layout.alignment, self.word_bits // 8)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel: of one step, or of all steps where these share containers."""
        return -(-self.channels // 8) if self.kind == "channel_bits" else self.channels * self.word_bits // 8

    @property
    def bytes(self) -> int:
        size = (1 if self.kind == "bits" else self.steps) * self.pixels * self.pixel_bytes
        return -(-size // self.layout.alignment) * self.layout.alignment

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at {self.offset}"
        kind = self.kind if self.kind == "channel_bits" else f"{self.kind}{self.word_bits}"
        return f"buffer {self.value.name}: {kind} x {self.steps} steps, {self.bytes} bytes{place}"


@dataclass(frozen=True)
class Kernel:
    """A region that runs as one: a producer, what follows it element by element, and a pooling of its spikes.

    `time`: `fused` runs every step inside, the state in registers; `stepped` runs one step, the state in memory;
    `once` runs once an inference. `skip`: channel tiles that a gate closed are not computed.
    """

    name: str
    ops: tuple[Op, ...]
    time: Time = "stepped"
    skip: bool = False

    @cached_property
    def writes(self) -> tuple[Value, ...]:
        """The results of its operators, in order, those that only the kernel itself reads included."""
        return tuple(v for op in self.ops for v in op.outputs)

    @cached_property
    def reads(self) -> tuple[Value, ...]:
        """The values that its operators read and none of them computes, constants and states included."""
        inside = {v.name for v in self.writes}
        outside = {v.name: v for op in self.ops for v in op.inputs if v.name not in inside}
        return tuple(outside.values())

    def __str__(self) -> str:
        names = " + ".join(op.name for op in self.ops)
        flags = f" {{time={self.time}{', skip=true' if self.skip else ''}}}"
        results = ", ".join(v.name for v in self.writes)
        origins = ", ".join(dict.fromkeys(op.origin for op in self.ops if op.origin))
        return f"kernel {self.name}: {results} = {names}{flags}" + (f"  // {origins}" if origins else "")


@dataclass(frozen=True)
class Program:
    """Kernels in order over one arena; `buffers` are the values that pass between kernels, all in one layout."""

    graph: Graph
    kernels: tuple[Kernel, ...]
    buffers: tuple[Buffer, ...] = ()
    mode: Mode = "stepped"
    arena_bytes: int = 0
    layout: Layout = PLAIN

    def __post_init__(self) -> None:
        for buffer in self.buffers:
            if buffer.layout != self.layout:
                raise GraphError(f"buffer {buffer.value.name} has the layout {buffer.layout}, not {self.layout}")

    @property
    def steps(self) -> int:
        """How many steps one call runs: all of an inference where the steps are fused, else 1."""
        return self.graph.steps if self.mode == "fused" else 1

    @cached_property
    def buffer_of(self) -> dict[str, Buffer]:
        """The buffer of a value, by its name; values that never leave a kernel have none."""
        return {b.value.name: b for b in self.buffers}

    @cached_property
    def views(self) -> dict[str, str]:
        """For each value that is only another look at a buffer, the value whose buffer it is."""
        base: dict[str, str] = {}
        for op in (op for kernel in self.kernels for op in kernel.ops):
            if isinstance(op, Flatten | Repeat):
                base[op.out.name] = base.get(op.inputs[0].name, op.inputs[0].name)
        return base

    @cached_property
    def lifetimes(self) -> dict[str, tuple[int, int]]:
        """The first and last kernel (indices) that touch a value, by its name; results live until after the last."""
        lives: dict[str, tuple[int, int]] = {}
        for index, kernel in enumerate(self.kernels):
            for name in (self.views.get(v.name, v.name) for v in (*kernel.reads, *kernel.writes)):
                lives[name] = (lives.get(name, (index, index))[0], index)
        for name in (self.views.get(v.name, v.name) for v in self.graph.outputs):
            lives[name] = (lives[name][0], len(self.kernels))
        return lives

    def with_buffers(self, buffers: tuple[Buffer, ...], arena_bytes: int) -> Program:
        """Return the program with other buffers, in an arena of `arena_bytes` a sample."""
        return replace(self, buffers=buffers, arena_bytes=arena_bytes)

    def with_layout(self, layout: Layout) -> Program:
        """Return the program with another layout, before its buffers have places."""
        return replace(self, layout=layout, buffers=tuple(replace(b, layout=layout) for b in self.buffers))

    def __str__(self) -> str:
        lines = [
            f"program {self.graph.name} mode={self.mode} steps={self.steps} {self.layout} arena={self.arena_bytes} {{"
        ]
        lines += [f"  {buffer}" for buffer in self.buffers]
        lines += [f"  {kernel}" for kernel in self.kernels]
        return "\n".join(lines) + "\n}\n" + str(self.graph)
