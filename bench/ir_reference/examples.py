"""One graph for each operator: what it reads is written here, what it gives is inferred."""

from __future__ import annotations

from typing import Any

from spqc.ir import OPERATORS, Graph, Value, parse_type, verify

_Example = tuple[str, dict[str, Any]]

EXAMPLES: dict[str, _Example] = {
    "add": ("%x: spike<2x4x4>, %y: spike<2x4x4>", {}),
    "affine": ("%n: int32<2x4x4>*0.0625, @a: float32<2>, @b: float32<2>", {}),
    "attention": ("%q: spike<8x4x4>, %k: spike<8x4x4>, %v: spike<8x4x4>", {"heads": 2}),
    "automaton": ("%n: int11<2x4x4>*0.0625, $state: ternary<2x4x4>, @theta: int9<3x3x2>", {}),
    "bias": ("%n: int9<10>*0.125, @b: int6<10>", {}),
    "combine": ("%n: int12<2x4x4>, %k: int12<2x4x4>, @p: int8<2>, @m: int8<2>", {}),
    "conv1d": ("%x: spike<2x16>, @w: pot4<4x2x3>*0.125", {"padding": (1,)}),
    "conv2d": ("%x: spike<2x4x4>, @w: pot4<4x2x3x3>*0.125", {"stride": (2,), "padding": (1,)}),
    "conv3d": ("%x: spike<2x4x4x4>, @w: pot4<4x2x3x1x1>*0.125", {"stride": (2, 1, 1)}),
    "current_neuron": ("%n: int12<8>, $current: int25<8>, $voltage: int24<8>", {}),
    "flatten": ("%x: spike<4x2x2>", {}),
    "gate": ("%x: float32<2x4x4>, %m: spike<2>", {}),
    "global_sum": ("%x: spike<2x4x4>", {}),
    "greater": ("%n: int12<2>, @t: int8<2>", {}),
    "integrate": ("%n: int12<8>, $membrane: int16<8>", {"leak": 200, "leak_shift": 8, "threshold": 64}),
    "linear": ("%x: spike<16>, @w: int8<10x16>*0.125", {"multiply": "select"}),
    "max_pool": ("%x: spike<2x4x4>", {}),
    "neuron": ("%x: float32<2x4x4>, $state: ternary<2x4x4>", {}),
    "repeat": ("%x: uint5<1x4x4>*0.0625 @const", {}),
    "reshape": ("%x: spike<2x4x4>", {"shape": (8, 4)}),
    "spatial_mask": ("%x: float32<2x4x4>", {"threshold": 0.25}),
    "sum_pool": ("%x: spike<2x4x4>", {}),
}

_RESULTS = {1: ("%out",), 2: ("%spikes", "%next"), 3: ("%spikes", "%next", "%next2")}


def example(name: str) -> Graph:
    """Return a verified graph of one operator, its results typed by the operator itself."""
    operands, attributes = EXAMPLES[name]
    values = [_value(text) for text in operands.split(", ")]
    cls = OPERATORS[name]
    types = cls(tuple(values), (), "", **attributes).infer()
    outputs = tuple(Value(*pair) for pair in zip(_RESULTS[len(types)], types, strict=True))
    op = cls(tuple(values), outputs, "", **attributes)
    inputs, constants, states = ([v for v in values if v.name[0] == mark] for mark in "%@$")
    graph = Graph(
        name,
        4,
        tuple(inputs),
        outputs[:1],
        tuple(constants),
        tuple(states),
        (op,),
        outputs[1:],
    )
    return verify(graph)


def _value(text: str) -> Value:
    name, _, type_ = text.partition(": ")
    return Value(name, parse_type(f"{type_} @const" if name.startswith("@") else type_))
