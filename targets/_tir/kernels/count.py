"""Counts over whole maps, and the channel gates they decide: sum, weigh, compare."""

from __future__ import annotations

from tvm.tirx.script import builder as T

from spqc.ir.ops import Greater, Linear
from spqc.ir.program import LANES

from ..context import Context
from ..geometry import Region, map_of, padded, weighted_sum
from ..vector import Expr, Registers, bind, broadcast, cast, constant, i32, lanes, loop, select, store, when


def emit_count(context: Context, region: Region) -> None:
    """Emit a global sum, alone or with the gate's matrix and comparison behind it."""
    ops = region.kernel.ops
    linear = next((op for op in ops if isinstance(op, Linear)), None)
    with loop(context.steps_of(ops[-1].out)) as t:
        if linear is None:
            _counts(context, region, t, None)
            return
        scratch = context.reserve(padded(map_of(ops[0].out).channels) * 4) // 4
        _counts(context, region, t, scratch)
        _gate(context, region, linear, t, scratch)


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


def _gate(context: Context, region: Region, linear: Linear, t: Expr, scratch: int) -> None:
    g = weighted_sum(context.program, linear)
    channels = padded(g.weight.type.shape[1])
    where = context.constants.weight(g, "int16", group=1, lanes=LANES, channels=channels, shifts=False)
    last = region.kernel.ops[-1]
    target = context.place_of(last.out)
    with T.serial(0, target.channels // LANES) as tile:
        channel = bind(tile * LANES)
        total = Registers("weighed", 1)
        total[0] = constant(0, "int32")
        with T.serial(0, channels) as c:
            count = broadcast(context.memory.view("arena", "int32")[i32(scratch) + c])
            at = i32(where.offset // 2) + (tile * channels + c) * LANES
            total[0] = total[0] + count * cast(context.memory.view("constant", "int16")[lanes(at)], "int32")
        value = bind(total[0])
        if isinstance(last, Greater):
            limit = context.constants.vector(last.inputs[1], "int32")
            bound = context.memory.view("constant", "int32")[lanes(i32(limit.offset // 4) + channel)]
            value = bind(select(value > bound, constant(1, "int32"), constant(0, "int32")))
        target.store(t, i32(0), channel, value)
        if last.out.name in context.traces:
            with when(context.memory.traced != i32(0)):
                at = context.trace_index(last.out.name, t, i32(0), channel)
                store(context.memory.view("trace", "uint8"), at, cast(value, "uint8"))
