"""Sums of wide integers: counts over whole maps, and linear layers over counts that no byte holds; gates among them."""

from __future__ import annotations

from collections.abc import Callable

from tvm.tirx.script import builder as T

from spqc.ir.ops import Greater, Linear
from spqc.targets._plan.arrangements import Weight
from spqc.targets._plan.geometry import Region, map_of, weighted_sum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import itemsize
from spqc.targets._tir.vector import (
    Expr,
    Registers,
    bind,
    broadcast,
    cast,
    constant,
    i32,
    lanes,
    loop,
    select,
    store,
    when,
)
from spqc.targets._tir.width import LANES


def emit_count(context: Context, region: Region) -> None:
    """Emit a global sum, alone or with the gate's matrix and comparison behind it."""
    ops = region.kernel.ops
    linear = next((op for op in ops if isinstance(op, Linear)), None)
    with loop(context.steps_of(ops[-1].out)) as t:
        if linear is None:
            _counts(context, region, t, None)
            return
        scratch = context.reserve(map_of(ops[0].out, LANES).padded * 4) // 4
        _counts(context, region, t, scratch)
        counts = context.memory.view("arena", "int32")
        _weigh(context, region, linear, t, lambda pixel, channel: counts[i32(scratch) + channel])


def emit_wide(context: Context, region: Region) -> None:
    """Emit a linear layer over integers wider than a byte, with the comparison behind it where there is one."""
    ops = region.kernel.ops
    linear = next(op for op in ops if isinstance(op, Linear))
    source = context.place_of(linear.inputs[0])
    view = context.memory.view(source.region, source.dtype)
    with loop(context.steps_of(ops[-1].out)) as t:
        _weigh(context, region, linear, t, lambda pixel, channel: view[source.index(t, pixel, channel)])


def _counts(context: Context, region: Region, t: Expr, scratch: int | None) -> None:
    """Sum each channel over its map, into scratch or into the kernel's own result."""
    op = region.kernel.ops[0]
    source = context.place_of(op.inputs[0])
    with T.serial(0, source.channels // LANES) as tile:
        channel = bind(tile * LANES)
        total = Registers("total", 1)
        total[0] = constant(0, "int32")
        with T.serial(0, source.map.pixels) as pixel:
            total[0] = total[0] + source.load(t, pixel, channel)
        if scratch is None:
            context.place_of(op.out).store(t, i32(0), channel, total[0])
        else:
            store(context.memory.view("arena", "int32"), i32(scratch) + channel, total[0])


def _weigh(context: Context, region: Region, linear: Linear, t: Expr, code: Callable[[Expr, Expr], Expr]) -> None:
    """Emit a matrix over the elements `code(pixel, channel)`, and what compares its results."""
    conv = weighted_sum(context.program, linear)
    channels, dtype = conv.input.padded, "int32" if conv.bits <= 32 else "int64"
    stored = context.constants.weight_dtype(conv.weight)
    where = context.constants.place(
        Weight(conv.weight.name, stored, conv.output.channels, conv.kernel, channels, LANES, groups=conv.groups)
    )
    first = i32(where.offset // itemsize(stored))
    last = region.kernel.ops[-1]
    target = context.place_of(last.out)
    with T.serial(0, target.channels // LANES) as tile:
        channel = bind(tile * LANES)
        total = Registers("weighed", 1, dtype)
        total[0] = constant(0, dtype)
        with T.grid(conv.input.pixels, channels) as (pixel, c):
            element = broadcast(code(pixel, c).astype(dtype))
            at = first + ((tile * conv.input.pixels + pixel) * channels + c) * LANES
            total[0] = total[0] + element * cast(context.memory.view("constant", stored)[lanes(at)], dtype)
        value = bind(total[0])
        if isinstance(last, Greater):
            limit = context.constants.vector(last.inputs[1], dtype)
            bound = context.memory.view("constant", dtype)[lanes(i32(limit.offset // itemsize(dtype)) + channel)]
            value = bind(select(value > bound, constant(1, "int32"), constant(0, "int32")))
        target.store(t, i32(0), channel, value)
        if last.out.name in context.traces:
            with when(context.memory.traced != i32(0)):
                at = context.trace_index(last.out.name, t, i32(0), channel)
                store(context.memory.view("trace", "uint8"), at, cast(value, "uint8"))
