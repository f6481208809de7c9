"""The temporal graph: its text, its verifier, the interpreter's range check and its view as a plain graph."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_graphs import Maker

from spqc.commands.doctor import tiny_graph
from spqc.foundation.errors import GraphError
from spqc.ir import Graph, Type, Value, interpret, parse_graph, parse_type, verify
from spqc.ir.ops import Linear

seeds = st.integers(0, 2**20)
derandomised = settings(max_examples=25, deadline=None, derandomize=True, database=None)


@pytest.fixture
def tiny() -> Graph:
    return tiny_graph()


def refused(graph: Graph) -> str:
    """Return the verifier's message."""
    with pytest.raises(GraphError) as caught:
        verify(graph)
    return str(caught.value)


def with_op(graph: Graph, index: int, **changes: object) -> Graph:
    """Return the graph with parts of one operator replaced."""
    ops = list(graph.ops)
    ops[index] = replace(ops[index], **changes)  # type: ignore[arg-type]
    return replace(graph, ops=tuple(ops))


@derandomised
@given(seeds)
def test_text_round_trip(seed: int) -> None:
    graph = verify(Maker(seed).graph(3))
    again = parse_graph(str(graph), graph.data)
    assert again == graph
    assert str(again) == str(graph)
    assert again.digest() == graph.digest()


def test_notes_and_origins_survive_the_text(tiny: Graph) -> None:
    again = parse_graph(str(tiny))
    assert again.notes == (("input_encoding", "spikes"),)
    assert [op.origin for op in again.ops] == [op.origin for op in tiny.ops]


@pytest.mark.parametrize(
    "text",
    [
        "spike<>",
        "ternary<2x3>",
        "int4<8x2x3x3>*0.25 @const",
        "uint8<1x4x4>*0.00390625",
        "pot4<2x2> @const",
        "float64<3>",
    ],
)
def test_type_round_trip(text: str) -> None:
    assert str(parse_type(text)) == text


def test_verifier_accepts_a_sound_graph(tiny: Graph) -> None:
    assert verify(tiny) is tiny


def test_operand_that_nothing_defines(tiny: Graph) -> None:
    lost = with_op(tiny, 3, inputs=(Value("%9", Type("spike", 1, (3,))), tiny.ops[3].inputs[1]))
    assert refused(lost) == (
        "error: 'linear' reads '%9' before it is defined\n  --> classifier (Classifier): %4: int32<2> = linear %9, @v"
    )


def test_operand_that_comes_later(tiny: Graph) -> None:
    first, *rest = tiny.ops
    assert refused(replace(tiny, ops=(*rest, first))) == (
        "error: 'affine' reads '%0' before it is defined\n"
        "  --> features.0 (SpikingLinear): %1: float32<3> = affine %0, @a, @b"
    )


def test_result_that_nothing_defines(tiny: Graph) -> None:
    lost = replace(tiny, outputs=(Value("%9", tiny.outputs[0].type),))
    assert refused(lost) == "error: the graph returns '%9', which nothing defines\n  --> tiny"


def test_value_that_is_defined_twice(tiny: Graph) -> None:
    twice = replace(tiny, ops=(*tiny.ops, tiny.ops[-1]))
    assert refused(twice) == (
        "error: '%4' is defined twice\n  --> %4: int32<2> = linear %2, @v  // classifier (Classifier)"
    )


def test_result_of_the_wrong_type(tiny: Graph) -> None:
    wrong = with_op(tiny, 1, outputs=(Value("%1", Type("float", 64, (3,))),))
    assert refused(wrong) == (
        "error: 'affine' gives float32<3>, not float64<3>\n"
        "  --> features.0 (SpikingLinear): %1: float64<3> = affine %0, @a, @b"
    )


def test_sum_of_the_wrong_shape(tiny: Graph) -> None:
    wrong = with_op(tiny, 3, outputs=(Value("%4", Type("int", 32, (5,))),))
    assert refused(wrong) == (
        "error: 'linear' gives int32<2>, not int32<5>\n  --> classifier (Classifier): %4: int32<5> = linear %2, @v"
    )


def test_state_without_a_next_value(tiny: Graph) -> None:
    assert refused(replace(tiny, nexts=())) == (
        "error: 1 states have 0 next values\n  --> tiny\nhint: write one `next $v = %x` for each state"
    )


def test_next_value_of_the_wrong_type(tiny: Graph) -> None:
    assert refused(replace(tiny, nexts=(tiny.values["%2"],))) == (
        "error: the next value of '$s' must be a defined ternary<3>, not %2: spike<3>\n  --> $s: ternary<3>"
    )


def test_constant_that_does_not_fit(tiny: Graph) -> None:
    wide = replace(tiny, data={**tiny.data, "@v": np.full((2, 3), 8)})
    assert refused(wide) == "error: an element of '@v' does not fit int4<2x3> @const\n  --> @v: int4<2x3> @const"
    short = replace(tiny, data={**tiny.data, "@v": np.zeros((2, 2), np.int64)})
    assert refused(short) == (
        "error: constant '@v' is int4<2x3> @const but its array has shape (2, 2)\n  --> @v: int4<2x3> @const"
    )


def accumulator(bits: int) -> Graph:
    """Return a sum of four spikes weighted 7, in `bits` bits."""
    x, w = Value("%x", Type("spike", 1, (4,))), Value("@w", Type("int", 4, (1, 4), "const"))
    op = Linear((x, w), (Value("%0", Type("int", bits, (1,))),), "features.0 (SpikingLinear)")
    return verify(Graph("sum", 1, (x,), op.outputs, (w,), ops=(op,), data={"@w": np.full((1, 4), 7)}))


def test_interpreter_catches_a_narrow_accumulator() -> None:
    quiet, loud = np.array([[[1, 0, 0, 0]]]), np.ones((1, 1, 4), np.int64)
    np.testing.assert_array_equal(interpret(accumulator(6), {"%x": loud})["%0"], [[[28]]])
    np.testing.assert_array_equal(interpret(accumulator(4), {"%x": quiet})["%0"], [[[7]]])
    with pytest.raises(GraphError) as caught:
        interpret(accumulator(4), {"%x": loud})
    assert str(caught.value) == (
        "error: 28..28 overflows int4<1>\n"
        "  --> %0: int4<1> = linear %x, @w  // features.0 (SpikingLinear)\n"
        "hint: this is a bug of the pass that chose the width"
    )


@derandomised
@given(seeds)
def test_only_delays_close_cycles(seed: int) -> None:
    graph = Maker(seed).graph(3)
    found = graph.to_networkx()
    delays = [(u, v) for u, v, delay in found.edges(data="delay") if delay]
    assert delays == [(n.name, s.name) for s, n in zip(graph.states, graph.nexts, strict=True)]
    assert set(found) == set(graph.values) | {f"op{i}" for i in range(len(graph.ops))}
    assert not nx.is_directed_acyclic_graph(found)
    found.remove_edges_from(delays)
    assert nx.is_directed_acyclic_graph(found)
