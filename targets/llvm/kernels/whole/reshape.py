"""A map of another shape: elements keep their order along the axes, so that channels and pixels change places."""

from __future__ import annotations

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir import Op
from spqc.targets._tir.context import Context
from spqc.targets._tir.vector import bind, i32


def emit_reshape(context: Context, op: Op) -> None:
    """Copy element by element, step by step; padding channels stay zero."""
    source, target = context.place_of(op.inputs[0]), context.place_of(op.out)
    old, new = source.map, target.map
    target.clear()
    view = context.memory.view(source.region, source.dtype)
    out = context.memory.view(target.region, target.dtype)
    with T.grid(target.steps, new.channels, new.pixels) as (t, channel, pixel):
        place = bind(channel * new.pixels + pixel)
        at = source.index(t, tirx.floormod(place, i32(old.pixels)), tirx.floordiv(place, i32(old.pixels)))
        element = (view[at] >> t.astype(source.dtype)) & tirx.const(1, source.dtype) if source.packed else view[at]
        T.buffer_store(out, element.astype(target.dtype), [target.index(t, pixel, channel)])
