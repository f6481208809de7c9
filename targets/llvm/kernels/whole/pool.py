"""Pooling that stands alone: overlapping or padded windows, values that others read too, sums before the neuron."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.ops import MaxPool, SumPool
from spqc.targets._plan.geometry import solid
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, Registers, all_of, bind, broadcast, constant, i32, select, when
from spqc.targets._tir.width import LANES


def emit_pool(context: Context, op: SumPool | MaxPool) -> None:
    """Emit one pooling over all steps; packed spikes come and go as whole containers of steps."""
    source, target = context.place_of(op.inputs[0]), context.place_of(op.out)
    dtype = "int64" if target.dtype == "int64" else "int32"
    window = _Window(op, source, dtype)
    m = target.map
    with context.parallel(m.rows) as row, T.serial(0, m.width) as x, T.serial(0, target.channels // LANES) as tile:
        z, y = bind(tirx.floordiv(row, i32(m.height))), bind(tirx.floormod(row, i32(m.height)))
        pixel, channel = bind(row * m.width + x), bind(tile * LANES)
        registers = Registers("pooled", 2, dtype)
        if target.packed and source.packed and isinstance(op, MaxPool):
            window.reduce(registers, (z, y, x), lambda at: source.load_word(at, channel), join=True)
            target.store(i32(0), pixel, channel, registers[0])
            return
        registers[1] = constant(0, dtype)
        with T.serial(0, target.steps) as t:
            window.reduce(registers, (z, y, x), lambda at: source.load(t, at, channel, dtype))
            if target.packed:
                registers[1] = registers[1] | (registers[0] << broadcast(t))
            else:
                target.store(t, pixel, channel, registers[0])
        if target.packed:
            target.store(i32(0), pixel, channel, registers[1])


@dataclass(frozen=True)
class _Window:
    op: SumPool | MaxPool
    source: Place
    dtype: str

    def reduce(
        self,
        registers: Registers,
        position: tuple[Expr, Expr, Expr],
        load: Callable[[Expr], Expr],
        join: bool = False,
    ) -> None:
        """Leave the pooled vector of one window in `registers[0]`; `join`: of containers of spikes, any may fire."""
        kernel, stride, padding = self.op.sides
        low = 0 if isinstance(self.op, SumPool) or join else self.op.type_of(0).range[0]
        registers[0] = constant(low, self.dtype)
        strides, paddings, m = solid(stride), solid(padding, 0), self.source.map
        with T.grid(*solid(kernel)) as taps:
            places = [at * s + tap - pad for at, s, tap, pad in zip(position, strides, taps, paddings, strict=True)]
            edges = [
                _edge(at, size)
                for at, size, pad in zip(places, (m.depth, m.height, m.width), paddings, strict=True)
                if pad
            ]
            with when(all_of(edges)):
                z, y, x = places
                value = bind(load((z * m.height + y) * m.width + x))
                registers[0] = self._joined(registers[0], value, join)

    def _joined(self, total: Expr, value: Expr, join: bool) -> Expr:
        if join:
            return total | value
        return total + value if isinstance(self.op, SumPool) else select(total > value, total, value)


def _edge(at: Expr, size: int) -> Expr:
    return tirx.And(at >= i32(0), at < i32(size))
