"""Cut the graph into kernels: a weighted sum, what follows it element by element, and the pooling of its spikes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir import Graph, Op, Value
from spqc.ir.layout import Layout
from spqc.ir.ops import (
    Add,
    Affine,
    Attention,
    Bias,
    Combine,
    Conv,
    Flatten,
    Gate,
    GlobalSum,
    Greater,
    Linear,
    MaxPool,
    Repeat,
    Reshape,
    SpatialMask,
    Spiking,
    SumPool,
)
from spqc.ir.program import Buffer, Kernel, Program, Time
from spqc.plugins.passes import Module, Pass

_FOLLOWERS = (Bias, Affine, Add, Combine, Gate, SpatialMask, Greater, Spiking)
_VIEWS = (Repeat, Flatten)


@dataclass(frozen=True)
class FormKernels(Pass):
    """Group operators into kernels; the values between kernels become buffers.

    `tile`: channels are padded to whole tiles; `alignment`: bytes on whose boundaries buffers lie.
    """

    tile: int = 1
    alignment: int = 1
    name: ClassVar[str] = "form-kernels"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module
        kernels = tuple(Kernel(f"k{i}", ops, _time(ops)) for i, ops in enumerate(_regions(module)))
        layout = Layout(self.tile, self.alignment)
        return Program(module, kernels, _buffers(module, kernels, layout), layout=layout)


def _time(ops: tuple[Op, ...]) -> Time:
    return "once" if all(v.type.clock == "const" for v in ops[-1].outputs) else "stepped"


def _regions(graph: Graph) -> list[tuple[Op, ...]]:
    """Return the regions in the order of their last operators, so that every operand of a region is there before it."""
    taken: set[str] = set()
    placed: list[tuple[int, tuple[Op, ...]]] = []
    place = {op.out.name: i for i, op in enumerate(graph.ops)}
    for op in graph.ops:
        if op.out.name in taken:
            continue
        region = _region(graph, op, taken)
        taken |= {o.out.name for o in region}
        placed.append((max(place[o.out.name] for o in region), region))
    return [region for _, region in sorted(placed, key=lambda item: item[0])]


def _region(graph: Graph, first: Op, taken: set[str]) -> tuple[Op, ...]:
    """Return the operators that run together with `first`: each the only reader of the one before."""
    region = [first]
    if isinstance(first, GlobalSum):
        return (first, *_gate(graph, first))
    if isinstance(first, Linear) and first.is_wide:
        return (first, *_followers(graph, first, (Greater,)))
    if isinstance(first, (*_VIEWS, SumPool, MaxPool, Reshape, Attention, Spiking)):
        return tuple(region)
    while True:
        follower = graph.only_reader(region[-1].out.name)
        if isinstance(follower, Repeat) and _feeds_neuron(graph, follower):
            region.append(follower)
        elif (
            isinstance(follower, _FOLLOWERS)
            and follower.out.name not in taken
            and follower.inputs[0] == region[-1].out
            and region[-1].out not in follower.inputs[1:]  # x + x reads x from memory
        ):
            region.append(follower)
            if isinstance(follower, Spiking):
                _append_pool(graph, region)
                return tuple(region)
        else:
            return tuple(region)


def _feeds_neuron(graph: Graph, repeat: Repeat) -> bool:
    """Return whether a repeated sum is what a neuron counts (and not, say, its gate)."""
    reader = graph.only_reader(repeat.out.name)
    return isinstance(reader, Spiking) and reader.inputs[0] == repeat.out


def _gate(graph: Graph, counts: Op) -> tuple[Op, ...]:
    """Return the matrix and the comparison of the channel gate that alone reads these counts."""
    followers = _followers(graph, counts, (Linear, Greater))
    return followers if len(followers) == 2 else ()


def _followers(graph: Graph, op: Op, kinds: tuple[type[Op], ...]) -> tuple[Op, ...]:
    """Return the operators of these kinds, in order, as far as each alone reads the one before."""
    followers: tuple[Op, ...] = ()
    for kind in kinds:
        follower = graph.only_reader((followers or (op,))[-1].out.name)
        if not isinstance(follower, kind):
            break
        followers += (follower,)
    return followers


def _append_pool(graph: Graph, region: list[Op]) -> None:
    """Add the pooling of the spikes where its windows do not overlap."""
    pool = graph.only_reader(region[-1].out.name)
    if isinstance(pool, SumPool | MaxPool) and pool.tiles and isinstance(region[0], Conv):
        region.append(pool)


def _buffers(graph: Graph, kernels: tuple[Kernel, ...], layout: Layout) -> tuple[Buffer, ...]:
    states = {n.name for n in graph.nexts}
    read = {v.name for k in kernels for v in k.reads} | {v.name for v in graph.outputs}
    values = [v for k in kernels if not isinstance(k.ops[0], _VIEWS) for v in k.writes]
    results = {v.name for v in graph.outputs}
    plain = (_plain(v, v.name in results) for v in values if v.name in read and v.name not in states)
    return tuple(replace(buffer, layout=layout) for buffer in plain)


def _plain(value: Value, is_result: bool) -> Buffer:
    """Return the unpacked buffer of a value, for one step; a result's words have 32 bits."""
    low, high = value.type.range
    if value.type.encoding in ("spike", "uint") and high < 256 and low == 0:
        return Buffer(value, "bytes", 1)
    widths = [bits for bits in ((32, 64) if is_result else (16, 32, 64)) if value.type.bits <= bits]
    return Buffer(value, "words", 1, widths[0])


PLUGIN = FormKernels
