"""Neurons as operators: their states, what they are called, and what the graph notes of them."""

from __future__ import annotations

from typing import Any

from spqc.foundation.options import format_value
from spqc.ir import Array, Builder, Type, Value, ops
from spqc.ir.fixed_point import Compartment, Integration
from spqc.ir.levels import Ties, midpoints
from spqc.ir.types import state_type

from .weights import integer_constant


def level_neuron(
    build: Builder, name: str, current: Value, origin: str, *, levels: tuple[float, ...], unit: float, **rules: Any
) -> Value:
    """Append a neuron whose membrane is one of some levels, and return its spikes.

    name: of the state, m{name}. levels: of the membrane, 0 among them, in units of `unit`, the real value of 1. rules:
    the other attributes of `spqc.ir.ops.Neuron`, such as leak and threshold. The first word of `origin` names the layer
    in the notes `levels` and `low`, which tell readers of states what a code is worth.
    """
    zero = levels.index(0.0)
    low = 0 if rules.get("silence") == "state" else -zero
    state = build.state(f"m{name}", state_type(low, len(levels) - 1 - zero, current.type.shape))
    spike, following = build.op(ops.Neuron, current, state, origin=origin, levels=levels, **rules)
    build.nexts.append(following)
    layer, kept = origin.partition(" ")[0], tuple(level * unit for level in levels[zero + low :])
    build.notes += [(f"levels.{layer}", format_value(kept)), (f"low.{layer}", str(low))]
    return spike


def middles_of(middles: tuple[float, ...], levels: tuple[float, ...], ties: Ties) -> tuple[float, ...]:
    """Return where a quantiser climbs as `Neuron` wants it: nothing where that is half-way between the levels."""
    return () if middles == tuple(middle for middle, _ in midpoints(levels, ties)) else middles


def integer_neuron(
    build: Builder, name: str, n: Value, numbers: Integration | Compartment, bias: Array | None, origin: str
) -> Value:
    """Append a neuron of integers throughout - a fixed-point membrane or one of Loihi - and return its spikes.

    name: of its states m{name} (and u{name}, Loihi's current) and its bias c{name} [channels].
    """
    attributes = {key: value for key, value in vars(numbers).items() if key != "bits"}
    offsets = [] if bias is None else [integer_constant(build, f"c{name}", bias)]
    if isinstance(numbers, Integration):
        n = build.op(ops.Bias, n, *offsets, origin=origin)[0] if offsets else n
        states = [build.state(f"m{name}", Type("int", numbers.bits, n.type.shape))]
        results = build.op(ops.Integrate, n, *states, origin=origin, **attributes)
    else:
        widths = (("u", numbers.bits + 1), ("m", numbers.bits))
        states = [build.state(f"{kind}{name}", Type("int", bits, n.type.shape)) for kind, bits in widths]
        results = build.op(ops.CurrentNeuron, n, *states, *offsets, origin=origin, bits=numbers.bits, **attributes)
    build.nexts += results[1:]
    return results[0]
