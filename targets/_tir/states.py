"""Membrane states in memory between steps: LANES state indices in one word, 1, 2 or 4 bits each."""

from __future__ import annotations

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.ops import Automaton, Neuron
from spqc.ir.program import LANES

from .context import Context
from .geometry import StateSlot, padded
from .memory import itemsize
from .vector import Expr, bind, broadcast, cast, constant, lane_numbers, or_lanes


def load_state(context: Context, neuron: Automaton | Neuron, pixel: Expr, channel: Expr) -> Expr:
    """Return LANES state indices as int32."""
    slot = context.states[neuron.inputs[1].name]
    dtype = _dtype(slot)
    word = broadcast(bind(context.memory.view("state", dtype)[_index(context, slot, pixel, channel)]))
    shifts = lane_numbers(dtype) * constant(slot.bits, dtype)
    return cast((word >> shifts) & constant(2**slot.bits - 1, dtype), "int32")


def store_state(context: Context, neuron: Automaton | Neuron, pixel: Expr, channel: Expr, state: Expr) -> None:
    slot = context.states[neuron.inputs[1].name]
    dtype = _dtype(slot)
    shifted = bind(cast(state, dtype) << (lane_numbers(dtype) * constant(slot.bits, dtype)))
    words = context.memory.view("state", dtype)
    T.buffer_store(words, or_lanes(shifted, dtype), [_index(context, slot, pixel, channel)])


def _dtype(slot: StateSlot) -> str:
    return f"uint{slot.word_bits}"


def _index(context: Context, slot: StateSlot, pixel: Expr, channel: Expr) -> Expr:
    """Return the index of a word; each sample has its own states, one after another."""
    total = sum(s.bytes for s in context.states.values())
    size = itemsize(_dtype(slot))
    tiles = padded(slot.map.channels) // LANES
    return context.sample * (total // size) + slot.offset // size + pixel * tiles + tirx.floordiv(channel, LANES)
