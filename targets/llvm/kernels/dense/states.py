"""Membrane states in memory between steps: LANES level indices packed in a word, or LANES integers side by side."""

from __future__ import annotations

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir import Value
from spqc.targets._plan.geometry import StateSlot
from spqc.targets._tir.context import Context
from spqc.targets._tir.vector import Expr, bind, broadcast, cast, constant, lane_numbers, lanes, store
from spqc.targets._tir.width import LANES

from ..intrinsics import or_lanes


def load_state(context: Context, state: Value, pixel: Expr, channel: Expr) -> Expr:
    """Return LANES state indices (or, of a wide membrane, LANES integers) as int32."""
    slot = context.states[state.name]
    dtype = _dtype(slot)
    if slot.bits >= 8:
        at = _index(context, slot, pixel, channel) * LANES
        return cast(context.memory.view("state", dtype)[lanes(at)], "int32")
    word = broadcast(bind(context.memory.view("state", dtype)[_index(context, slot, pixel, channel)]))
    shifts = lane_numbers(dtype) * constant(slot.bits, dtype)
    return cast((word >> shifts) & constant(2**slot.bits - 1, dtype), "int32")


def store_state(context: Context, state: Value, pixel: Expr, channel: Expr, vector: Expr) -> None:
    """Store what `load_state` returns."""
    slot = context.states[state.name]
    dtype = _dtype(slot)
    if slot.bits >= 8:
        at = _index(context, slot, pixel, channel) * LANES
        store(context.memory.view("state", dtype), at, cast(vector, dtype))
        return
    shifted = bind(cast(vector, dtype) << (lane_numbers(dtype) * constant(slot.bits, dtype)))
    words = context.memory.view("state", dtype)
    T.buffer_store(words, or_lanes(shifted, dtype), [_index(context, slot, pixel, channel)])


def _dtype(slot: StateSlot) -> str:
    """Return the type of what is loaded at once: a word of LANES packed indices, or one element."""
    if slot.bits < 8:
        return f"uint{LANES * slot.bits}"
    return "uint8" if slot.bits == 8 else f"int{slot.bits}"


def _index(context: Context, slot: StateSlot, pixel: Expr, channel: Expr) -> Expr:
    """Return the index of LANES states; each sample has its own, one after another."""
    total = sum(s.bytes for s in context.states.values())
    size = LANES * slot.bits // 8
    tiles = slot.map.padded // LANES
    return context.sample * (total // size) + slot.offset // size + pixel * tiles + tirx.floordiv(channel, LANES)
