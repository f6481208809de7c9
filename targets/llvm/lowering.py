"""One table: for each operator, what the CPU refuses of it, and the kernel that begins with it.

An operator that the table lacks is refused. One that only follows others in their kernels has no kernel of its own
besides the one that reads its input from memory; what it does there is its rule in `spqc.targets._tir.epilogue`.
Emitters are imported when they are called: to ask what is supported needs no TVM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spqc.foundation.errors import InternalError
from spqc.ir import Graph, Op, Type
from spqc.ir.ops import (
    Add,
    Affine,
    Attention,
    Automaton,
    Bias,
    Combine,
    Conv1d,
    Conv2d,
    Conv3d,
    CurrentNeuron,
    Flatten,
    Gate,
    GlobalSum,
    Greater,
    Integrate,
    Linear,
    MaxPool,
    Neuron,
    Repeat,
    Reshape,
    SpatialMask,
    SumPool,
)
from spqc.targets._plan.geometry import Region
from spqc.targets._plan.strategy import Choice

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context

    Emit = Callable[[Context, Region, Choice | None], None]


def _summed(context: Context, region: Region, choice: Choice | None) -> None:
    """Emit a weighted sum as its strategy does, or a linear layer over counts that no byte holds."""
    from .kernels.whole.count import emit_wide
    from .strategies import strategies

    if choice is None:
        emit_wide(context, region)
    else:
        strategies()[choice.strategy].emit(context, region, choice.settings)


def _element_by_element(context: Context, region: Region, choice: Choice | None) -> None:
    from .kernels.dense.kernel import Dense

    Dense(context, region).emit()


def _attention(context: Context, region: Region, choice: Choice | None) -> None:
    from .kernels.whole.attention import emit_attention

    first: Any = region.kernel.ops[0]
    emit_attention(context, first)


def _pooled(context: Context, region: Region, choice: Choice | None) -> None:
    from .kernels.whole.pool import emit_pool

    first: Any = region.kernel.ops[0]
    emit_pool(context, first)


def _reshaped(context: Context, region: Region, choice: Choice | None) -> None:
    from .kernels.whole.reshape import emit_reshape

    emit_reshape(context, region.kernel.ops[0])


def _counted(context: Context, region: Region, choice: Choice | None) -> None:
    from .kernels.whole.count import emit_count

    emit_count(context, region)


def _view(context: Context, region: Region, choice: Choice | None) -> None:
    """Emit nothing: another look at a buffer moves no byte."""


def _anything(op: Any) -> str:
    return ""


def _bytes_only(op: Op) -> str:
    low, high = op.type_of(0).range
    return "its input is wider than 8 bits" if high > 255 or low < 0 else ""


def _small_unsigned(op: Op) -> str:
    low, high = op.type_of(0).range
    return "" if low >= 0 and high < 2**31 else "its input is not a small unsigned integer"


def _narrow_products(op: Op) -> str:
    return "its products are wider than 31 bits" if op.out.type.bits > 31 else ""


def _narrow_counts(op: Add) -> str:
    return "its sum is wider than 32 bits" if op.counts and op.out.type.bits > 32 else ""


def _no_floats(op: Op) -> str:
    floats = op.outputs[0].type.encoding == "float"
    return "it computes in floating point: no table or fixed-point form was found for it" if floats else ""


def _narrow_membrane(op: Any) -> str:
    return "its membrane is wider than 31 bits" if any(v.type.bits > 31 for v in op.state_inputs) else ""


def _fixed_point_neuron(op: Neuron) -> str:
    if op.type_of(0).encoding == "float":
        return f"it reads floating point: a table of its {len(op.levels)} levels is too large, or depends on two sums"
    return _no_floats(op) or _narrow_membrane(op)


@dataclass(frozen=True)
class Lowering:
    """How an operator reaches the CPU: why it may be refused, and the kernel that begins with it."""

    refuses: Callable[[Any], str] = _anything
    emit: Emit = _element_by_element


LOWERINGS: Mapping[type[Op], Lowering] = {
    Add: Lowering(_narrow_counts),
    Affine: Lowering(_no_floats),
    Attention: Lowering(_narrow_products, _attention),
    Automaton: Lowering(_narrow_membrane),
    Bias: Lowering(),
    Combine: Lowering(),
    Conv1d: Lowering(_bytes_only, _summed),
    Conv2d: Lowering(_bytes_only, _summed),
    Conv3d: Lowering(_bytes_only, _summed),
    CurrentNeuron: Lowering(_narrow_membrane),
    Flatten: Lowering(emit=_view),
    Gate: Lowering(),
    GlobalSum: Lowering(emit=_counted),
    Greater: Lowering(),
    Integrate: Lowering(_narrow_membrane),
    Linear: Lowering(_small_unsigned, _summed),
    MaxPool: Lowering(emit=_pooled),
    Neuron: Lowering(_fixed_point_neuron),
    Repeat: Lowering(emit=_view),
    Reshape: Lowering(emit=_reshaped),
    SpatialMask: Lowering(),
    SumPool: Lowering(emit=_pooled),
}


def emit_kernel(context: Context, region: Region, choice: Choice | None) -> None:
    """Emit one kernel, by the operator that it begins with; `choice`: of one that begins with a weighted sum."""
    first = region.kernel.ops[0]
    if type(first) not in LOWERINGS:
        raise InternalError(f"no kernel begins with {first.name}", first.origin, "please report this")
    LOWERINGS[type(first)].emit(context, region, choice)


def unsupported(graph: Graph) -> list[str]:
    """Return one line for each operator that the emitters cannot carry out exactly."""
    reasons = ((op, _reason(op)) for op in graph.ops)
    lines = [f"{op.name}: {reason}  --> {op.origin or str(op)}" for op, reason in reasons if reason]
    returned = "only vectors of integers up to 32 bits are returned"
    return lines + [f"result {value}: {returned}" for value in graph.outputs if not _returnable(value.type)]


def _reason(op: Op) -> str:
    lowering = LOWERINGS.get(type(op))
    return "it has no kernel" if lowering is None else lowering.refuses(op)


def _returnable(type_: Type) -> bool:
    return len(type_.shape) == 1 and type_.encoding not in ("float", "fixed") and type_.bits <= 32
