"""Which operators the kernels carry out exactly; the rest is refused before anything is compiled."""

from __future__ import annotations

from spqc.ir import Graph, Type
from spqc.ir.ops import Add, Affine, Attention, Conv, Linear, Neuron, Spiking


def unsupported(graph: Graph) -> list[str]:
    """Return one line for each operator that the emitters cannot carry out exactly."""
    found = []
    for op in graph.ops:
        reason = _reason(op)
        if reason:
            found.append(f"{op.name}: {reason}  --> {op.origin or str(op)}")
    returned = "only vectors of integers up to 32 bits are returned"
    return found + [f"result {value}: {returned}" for value in graph.outputs if not _returnable(value.type)]


def _returnable(type_: Type) -> bool:
    return len(type_.shape) == 1 and type_.encoding not in ("float", "fixed") and type_.bits <= 32


def _reason(op: object) -> str:
    if isinstance(op, Conv):
        x = op.type_of(0)
        return "its input is wider than 8 bits" if x.range[1] > 255 or x.range[0] < 0 else ""
    if isinstance(op, Linear):
        low, high = op.type_of(0).range
        return "" if low >= 0 and high < 2**31 else "its input is not a small unsigned integer"
    if isinstance(op, Attention) and op.out.type.bits > 31:
        return "its products are wider than 31 bits"
    if isinstance(op, Add) and op.counts and op.out.type.bits > 32:
        return "its sum is wider than 32 bits"
    if isinstance(op, Neuron | Affine) and op.outputs[0].type.encoding == "float":
        return "it computes in floating point: no table or fixed-point form was found for it"
    if isinstance(op, Neuron) and op.type_of(0).encoding == "float":
        return f"it reads floating point: a table of its {len(op.levels)} levels is too large, or depends on two sums"
    if isinstance(op, Spiking) and any(v.type.bits > 31 for v in op.state_inputs):
        return "its membrane is wider than 31 bits"
    return ""
