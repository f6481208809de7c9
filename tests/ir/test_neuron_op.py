"""The neuron of stored levels, interpreted and compiled: closed forms that must come out to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import GraphError
from spqc.ir import Builder, Graph, Type, Value, interpret, verify
from spqc.ir.levels import RELEASED, TAPEOUT, TERNARY
from spqc.ir.ops import Affine, Automaton, Linear, Neuron
from spqc.ir.types import state_type

STEPS = 6


def neuron(levels: tuple[float, ...], **attributes: Any) -> Neuron:
    """Return a neuron of three channels over float32 charges."""
    zero = levels.index(0.0)
    state = Value("$m", state_type(-zero, len(levels) - 1 - zero, (3,)))
    return Neuron((Value("%x", Type("float", 32, (3,))), state), (), "", levels=levels, **attributes)


def graph(levels: tuple[float, ...] = TERNARY, **attributes: Any) -> Graph:
    """Return a layer whose charge is a quarter of a weighted input: -1, 0 and 3/4 in the first step, 0 later."""
    build = Builder("zero", STEPS)
    x = build.input("x", Type("spike", 1, (1,)))
    w = build.constant("w", Type("int", 8, (3, 1)), np.array([[-4], [0], [3]]))
    (n,) = build.op(Linear, x, w, origin="features.0 (Linear)")
    a, b = (build.constant(k, Type("float", 32, (3,)), np.full(3, v, np.float32)) for k, v in (("a", 0.25), ("b", 0.0)))
    (charge,) = build.op(Affine, n, a, b, origin="features.0 (Linear)")
    zero = levels.index(0.0)
    state = build.state("m", state_type(-zero, len(levels) - 1 - zero, (3,)))
    spike, following = build.op(Neuron, charge, state, origin="features.0 (Linear)", levels=levels, **attributes)
    build.nexts.append(following)
    head = build.constant("head", Type("int", 4, (2, 3)), np.ones((2, 3), np.int64))
    return verify(build.graph(*build.op(Linear, spike, head, origin="classifier (Linear)")))


@pytest.mark.parametrize("target", ["reference", "llvm"])
@pytest.mark.parametrize(
    ("ties", "after"), [("down", (-1, 0, 0)), ("even", (0, 0, 0)), ("away", (-1, 0, 1)), ("up", (0, 0, 1))]
)
def test_states_without_input(ties: str, after: tuple[int, ...], target: str) -> None:
    """With leak 1/2 a stored +-1 leaks exactly to a tie, which the tie rule sends on or back, for ever."""
    x = np.zeros((1, STEPS, 1), np.int64)
    x[0, 0] = 1
    seen = spqc.compile(graph(ties=ties), target).executor.trace(x)
    states = seen.states["features.0"][0]
    assert states[0].tolist() == [-1, 0, 1]
    assert all(tuple(state) == after for state in states[1:].tolist())
    assert not seen.spikes["features.0"].any()


def test_the_quantiser_is_its_closed_form_next_to_every_tie() -> None:
    """Q(u) = [u > 1/2] - [u <= -1/2], on each tie and its 200 float32 neighbours to both sides."""
    points = [np.array([-0.5, 0.5], np.float32)]
    for side in (-np.inf, np.inf):
        beside = points[0]
        for _ in range(200):
            beside = np.nextafter(beside, np.float32(side))
            points.append(beside)
    u = np.concatenate([*points, np.linspace(-4, 0.99, 4001, dtype=np.float32)])
    x = np.repeat(u[:, None], 3, axis=1)
    _, stored = neuron(TERNARY).evaluate(x, np.zeros(x.shape, np.int64))
    np.testing.assert_array_equal(stored, (x > 0.5).astype(int) - (x <= -0.5))


@pytest.mark.parametrize(("levels", "step", "lowest"), [(RELEASED, 1.0, -3.0), (TAPEOUT, 0.125, -2.0)])
def test_the_released_grids_round_to_the_nearest_level(levels: tuple[float, ...], step: float, lowest: float) -> None:
    assert levels == tuple(lowest + step * i for i in range(len(levels)))
    assert len(TAPEOUT) == 24 and TAPEOUT[-1] == 0.875
    u = np.linspace(-5, 0.99, 10_000, dtype=np.float32)
    x = np.repeat(u[:, None], 3, axis=1)
    _, stored = neuron(levels).evaluate(x, np.zeros(x.shape, np.int64))
    nearest = np.abs(np.clip(x, levels[0], levels[-1])[..., None] - np.array(levels)).argmin(axis=-1)
    np.testing.assert_array_equal(stored, nearest - levels.index(0.0))


@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_a_decaying_input_goes_half_of_the_way(target: str) -> None:
    """u = m + (x - m)/2: on a fine grid the membrane of x = 3/4 is 3/8, then half of what it was."""
    levels = tuple(i / 16 for i in range(-16, 17))
    x = np.zeros((1, STEPS, 1), np.int64)
    x[0, 0] = 1
    seen = spqc.compile(graph(levels, input_scale=0.5), target).executor.trace(x)
    codes = seen.states["features.0"][0]
    assert codes[:, 0].tolist() == [-8, -4, -2, -1, -1, -1], "ties go down: -0.5 to -1, and stays"
    assert codes[:, 2].tolist() == [6, 3, 1, 0, 0, 0], "1.5 to 1, 0.5 to 0"


@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_integrate_and_fire_keeps_what_it_has(target: str) -> None:
    x = np.zeros((1, STEPS, 1), np.int64)
    x[0, :2] = 1
    seen = spqc.compile(graph((-2.0, -1.0, 0.0, 1.0), leak=1.0, threshold=1.5), target).executor.trace(x)
    assert seen.states["features.0"][0, :, 0].tolist() == [-1, -2, -2, -2, -2, -2]
    assert seen.spikes["features.0"][0, :, 2].tolist() == [0, 1, 0, 0, 0, 0], "3/4 is stored as 1, and 1 3/4 fires"
    assert seen.states["features.0"][0, :, 2].tolist() == [1, 0, 0, 0, 0, 0]


def test_a_table_of_shared_thresholds_reads_like_one_row_a_state() -> None:
    """The automaton with a carry is the automaton whose rows are the shared row, shifted."""
    rng = np.random.default_rng(0)
    shared = np.sort(rng.integers(-20, 20, (1, 4, 3)), axis=1)
    carry, following = (-3, 0, 5), (-1, 0, 1, 0, 1)
    rows = np.concatenate([shared - c for c in carry])
    n, code = rng.integers(-30, 30, (500, 3)), rng.integers(-1, 2, (500, 3))
    one, many = (
        Automaton((), (), "", following=following, fires=3, carry=c).evaluate(n, code, theta)
        for c, theta in ((carry, shared), ((), rows))
    )
    for left, right in zip(one, many, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"input_scale": 0.3}, "scales its input by a power of two"),
        ({"middles": (0.5,)}, "needs one middle between two levels"),
        ({"middles": (0.5, -0.5)}, "needs one middle between two levels, ascending"),
    ],
)
def test_wrong_attributes_are_refused(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        neuron(TERNARY, **attributes).infer()


def test_a_shared_table_has_one_row() -> None:
    n, state = Value("%n", Type("int", 8, (2,))), Value("$m", state_type(-1, 1, (2,)))
    theta = Value("@t", Type("int", 8, (3, 3, 2), "const"))
    with pytest.raises(GraphError, match="needs thresholds 1x3x2"):
        Automaton((n, state, theta), (), "", carry=(-1, 0, 1)).infer()


def test_interpreting_a_fold_gives_the_states_of_the_neuron() -> None:
    original = graph(TAPEOUT, reset="soft", threshold=0.6)
    folded = spqc.compile(original, "llvm").graph
    x = np.random.default_rng(1).integers(0, 2, (20, STEPS, 1))
    assert any(isinstance(op, Automaton) for op in folded.ops)
    wanted, found = interpret(original, {"%x": x}), interpret(folded, {"%x": x})
    np.testing.assert_array_equal(*(next(iter(r.values())) for r in (wanted, found)))
