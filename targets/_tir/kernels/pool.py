"""Pooling that stands alone: overlapping windows, values that others read too, sums before the neuron."""

from __future__ import annotations

from tvm.tirx.script import builder as T

from spqc.ir.ops import MaxPool, SumPool
from spqc.ir.program import LANES

from ..context import Context
from ..memory import Place
from ..vector import Expr, Registers, bind, broadcast, constant, i32, select


def emit_pool(context: Context, op: SumPool | MaxPool) -> None:
    """Emit one pooling over all steps; packed spikes come and go as whole containers of steps."""
    source, target = context.place_of(op.inputs[0]), context.place_of(op.out)
    dtype = "int64" if target.dtype == "int64" else "int32"
    m = target.map
    with context.parallel(m.height) as y, T.serial(0, m.width) as x, T.serial(0, target.channels // LANES) as tile:
        pixel, channel = bind(y * m.width + x), bind(tile * LANES)
        held = Registers("held", 2, dtype)
        held[1] = constant(0, dtype)
        with T.serial(0, target.steps) as t:
            _window(op, source, held, t, y, x, channel, dtype)
            if target.packed:
                held[1] = held[1] | (held[0] << broadcast(t))
            else:
                target.store(t, pixel, channel, held[0])
        if target.packed:
            target.store(i32(0), pixel, channel, held[1])


def _window(
    op: SumPool | MaxPool, source: Place, held: Registers, t: Expr, y: Expr, x: Expr, channel: Expr, dtype: str
) -> None:
    """Leave the pooled vector of one window in `held[0]`."""
    first = _element(op, source, t, y, x, i32(0), i32(0), channel, dtype)
    held[0] = first if isinstance(op, MaxPool) else first - first
    with T.grid(op.kernel, op.kernel) as (i, j):
        value = bind(_element(op, source, t, y, x, i, j, channel, dtype))
        held[0] = held[0] + value if isinstance(op, SumPool) else select(held[0] > value, held[0], value)


def _element(
    op: SumPool | MaxPool, source: Place, t: Expr, y: Expr, x: Expr, i: Expr, j: Expr, channel: Expr, dtype: str
) -> Expr:
    pixel = (y * op.stride + i) * source.map.width + x * op.stride + j
    return source.load(t, pixel, channel, dtype)


