"""Neurons with integer membranes: their arithmetic, the ranges that are proven for it, and their compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.comparison import compare
from support.layers import integer_network
from support.random_graphs import random_codes

import spqc
from spqc.foundation.errors import GraphError
from spqc.ir import Builder, Graph, Type, interpret, parse_graph, verify
from spqc.ir.fixed_point import Compartment, Integration, bits_for, fitted, shifted
from spqc.ir.ops import CurrentNeuron, Integrate, Linear
from spqc.runtime.observe import observe_graph

derandomised = settings(max_examples=60, deadline=None, derandomize=True, database=None)
roundings = st.sampled_from(["truncate", "zero", "nearest"])
integers = st.integers(-(2**40), 2**40)
integrations = st.builds(
    Integration,
    bits=st.sampled_from([4, 7, 16, 31]),
    leak=st.integers(0, 256),
    leak_shift=st.just(8),
    shift=st.integers(-3, 6),
    threshold=st.integers(1, 300),
    fire=st.sampled_from(["gt", "ge"]),
    reset=st.sampled_from(["soft", "hard", "none"]),
    rounding=roundings,
    overflow=st.sampled_from(["saturate", "wrap"]),
)


def floor_divided(x: int, places: int, rounding: str) -> int:
    """Return x / 2^places rounded, in Python's unbounded integers."""
    if rounding == "zero":
        return (abs(x) // 2**places) * (1 if x >= 0 else -1)
    return (x + (2**places // 2 if rounding == "nearest" else 0)) // 2**places


@derandomised
@given(x=integers, places=st.integers(0, 20), rounding=roundings)
def test_shifts_round_as_they_say(x: int, places: int, rounding: Any) -> None:
    found = shifted(np.array([x]), -places, rounding)
    assert int(found[0]) == (floor_divided(x, places, rounding) if places else x)
    assert int(shifted(np.array([x]), places, rounding)[0]) == x * 2**places


@derandomised
@given(x=integers, bits=st.integers(2, 31))
def test_sums_wrap_or_saturate(x: int, bits: int) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    assert int(fitted(np.array([x]), bits, "saturate")[0]) == min(max(x, low), high)
    wrapped = int(fitted(np.array([x]), bits, "wrap")[0])
    assert low <= wrapped <= high and (wrapped - x) % 2**bits == 0


@derandomised
@given(numbers=integrations, inputs=st.lists(st.integers(-500, 500), min_size=1, max_size=12))
def test_integration_step_by_step(numbers: Integration, inputs: list[int]) -> None:
    def fit(x: int) -> int:
        half = 2 ** (numbers.bits - 1)
        return (x + half) % (2 * half) - half if numbers.overflow == "wrap" else min(max(x, -half), half - 1)

    membrane, state = 0, np.zeros(1, np.int64)
    for n in inputs:
        down = -min(numbers.shift, 0)
        scaled = floor_divided(n, down, numbers.rounding) if down else n * 2**numbers.shift
        u = fit(floor_divided(membrane * numbers.leak, numbers.leak_shift, numbers.rounding) + scaled)
        fires = u > numbers.threshold if numbers.fire == "gt" else u >= numbers.threshold
        after = {"soft": fit(u - numbers.threshold), "hard": 0, "none": u}[numbers.reset]
        membrane = after if fires else u
        spike, state = numbers.advance(np.array([n]), state)
        assert (bool(spike[0]), int(state[0])) == (fires, membrane)


@derandomised
@given(numbers=integrations, seed=st.integers(0, 999), spread=st.integers(0, 200), steps=st.integers(1, 40))
def test_no_membrane_leaves_its_proven_range(numbers: Integration, seed: int, spread: int, steps: int) -> None:
    wide = Integration(**{**vars(numbers), "bits": 60})
    rng = np.random.default_rng(seed)
    low, high = -spread, int(rng.integers(0, 200))
    within, always = wide.reach(low, high, steps), wide.reach(low, high)
    assert within is not None
    for bounds in (within, always or within):
        membrane = np.zeros(64, np.int64)
        extremes = np.repeat([low, high], 32)
        for _ in range(steps):
            n = np.where(rng.random(64) < 0.7, extremes, rng.integers(low, high + 1, 64))
            u = wide.charged(n, membrane)
            membrane = wide.advance(n, membrane)[1]
            assert bounds[0] <= min(u.min(), membrane.min()) and max(u.max(), membrane.max()) <= bounds[1]


@derandomised
@given(leak=st.integers(0, 255), greatest=st.integers(1, 2**20), threshold=st.integers(1, 1000))
def test_a_leak_below_one_bounds_the_membrane_over_all_time(leak: int, greatest: int, threshold: int) -> None:
    """|U| <= greatest / (1 - lambda), and one more unit a step that truncation can add below zero."""
    found = Integration(60, leak=leak, leak_shift=8, threshold=threshold).reach(-greatest, greatest)
    assert found is not None
    closed = (greatest + 1) / (1 - leak / 256)
    assert -closed <= found[0] <= -greatest and found[1] <= closed


def test_without_a_leak_only_the_steps_bound_the_membrane() -> None:
    numbers = Integration(60, threshold=10)
    assert numbers.reach(-3, 5) is None
    assert numbers.reach(-3, 5, steps=7) == (-21, 15), "no reset pulls a negative membrane back"
    assert bits_for(-21, 15) == 6


def lava_step(c: Compartment, a: Any, u: Any, v: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Return (fires, u, v) as the published bit-accurate model goes, decays `du + 1` and `dv`."""
    du, dv = 4095 - c.current_leak, 4096 - c.leak
    most = 2**23
    decayed = u * (4096 - (du + 1))
    u = np.sign(decayed) * (np.abs(decayed) >> 12) + (a << 6)
    u = np.where(u > most, u - 2 * most, np.where(u <= -most, u + 2 * most, u))
    decayed = v * (4096 - dv)
    v = np.clip(np.sign(decayed) * (np.abs(decayed) >> 12) + u + bias, -most + 1, most - 1)
    fires = v > c.threshold
    return fires, u, np.where(fires, 0, v)


@derandomised
@given(
    seed=st.integers(0, 999),
    current_leak=st.integers(0, 4095),
    leak=st.integers(1, 4096),
    threshold=st.sampled_from([0, 5, 1000, 131071]),
    spread=st.sampled_from([10, 5000, 2**17]),
)
def test_currents_wrap_and_voltages_saturate_as_on_loihi(
    seed: int, current_leak: int, leak: int, threshold: int, spread: int
) -> None:
    rng = np.random.default_rng(seed)
    c = Compartment(current_leak, leak, threshold=threshold << 6)
    found = wanted = (np.zeros(200, bool), np.zeros(200, np.int64), np.zeros(200, np.int64))
    bias = rng.integers(-4096, 4096, 200) << 3
    for _ in range(10):
        n = rng.integers(-spread, spread + 1, 200)
        found, wanted = c.advance(n, *found[1:], bias), lava_step(c, n, *wanted[1:], bias)
        for left, right in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(left, right)


def test_the_current_reaches_both_ends_of_its_range() -> None:
    c = Compartment(current_leak=4095)
    for n, u, after in ((2**17, 0, 2**23), (-(2**17), 0, 2**23), (2**17, 64, 2**23 - 2**24 + 63)):
        assert int(c.advance(np.array([n]), np.array([u]), np.array([0]), 0)[1][0]) == after


@pytest.mark.parametrize("kind", ["integrate", "current"])
@pytest.mark.parametrize("seed", range(4))
def test_compiled_code_is_exact(seed: int, kind: str) -> None:
    graph = verify(integer_network(seed, kind))
    codes = random_codes(graph, 3, seed)["%x"]
    wanted = observe_graph(graph, codes)
    assert any(array.any() for array in wanted.spikes.values()), "silent networks prove little"
    executor = spqc.compile(graph, "llvm").executor
    assert not compare(graph, executor, codes).differences
    for layer, states in executor.trace(codes).states.items():
        assert states.ndim == wanted.spikes[layer].ndim + (kind == "current")


@pytest.mark.parametrize("kind", ["integrate", "current"])
@derandomised
@given(seed=st.integers(0, 2**20))
def test_text_round_trip(kind: str, seed: int) -> None:
    graph = verify(integer_network(seed, kind, channels=2))
    assert parse_graph(str(graph), graph.data) == graph


def test_a_membrane_that_would_not_fit_is_saturated_in_the_interpreter_too() -> None:
    build = Builder("ends", 4)
    x = build.input("x", Type("uint", 8, (1,)))
    w = build.constant("w", Type("int", 8, (1, 1)), np.array([[-100]]))
    (n,) = build.op(Linear, x, w)
    spike, following = build.op(Integrate, n, build.state("m", Type("int", 8, (1,))), threshold=5)
    build.nexts.append(following)
    graph = verify(build.graph(spike, following))
    results = interpret(graph, {"%x": np.array([[[1], [1], [1], [0]]])})
    assert results[following.name].ravel().tolist() == [-100, -128, -128, -128]


def neuron(cls: Any, states: list[Type], **attributes: Any) -> None:
    build = Builder("wrong", 1)
    x = build.input("x", Type("int", 8, (3,)))
    cls((x, *(build.state(f"s{i}", t) for i, t in enumerate(states))), (), "", **attributes).infer()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"leak": 300, "leak_shift": 8}, r"leaks a factor in \[0, 1\], not 300 of 2\^8"),
        ({"threshold": 0}, "needs a positive threshold"),
        ({"leak": 2**40, "leak_shift": 40}, "needs more than 62 bits"),
        ({"shift": 60}, "needs more than 62 bits"),
    ],
)
def test_wrong_integrators_are_refused(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        neuron(Integrate, [Type("int", 31, (3,))], **attributes)


def test_wrong_states_are_refused() -> None:
    with pytest.raises(GraphError, match="keeps signed integers of the shape"):
        neuron(Integrate, [Type("uint", 16, (3,))])
    with pytest.raises(GraphError, match="keeps int25<3> and int24<3>, not int24<3> and int24<3>"):
        neuron(CurrentNeuron, [Type("int", 24, (3,)), Type("int", 24, (3,))])


def test_states_take_their_width_in_memory() -> None:
    states: npt.NDArray[Any] = np.array([integer_network(0, kind).states for kind in ("integrate",)], dtype=object)
    assert {value.type.encoding for value in states.ravel()} == {"int"}
    executor: Any = spqc.compile(one_integrator(16), "llvm").executor
    assert executor.state_bytes == 64  # 16 lanes of two bytes, rounded up to a line
    executor = spqc.compile(one_integrator(31), "llvm").executor
    assert executor.state_bytes == 64
    wide: Any = spqc.compile(one_integrator(31, channels=40), "llvm").executor
    assert wide.state_bytes == 48 * 4


def one_integrator(bits: int, channels: int = 3) -> Graph:
    build = Builder("one", 2)
    x = build.input("x", Type("spike", 1, (2,)))
    w = build.constant("w", Type("int", 4, (channels, 2)), np.ones((channels, 2), np.int64))
    (n,) = build.op(Linear, x, w)
    spike, following = build.op(Integrate, n, build.state("m", Type("int", bits, (channels,))))
    build.nexts.append(following)
    head = build.constant("head", Type("int", 4, (2, channels)), np.ones((2, channels), np.int64))
    return build.graph(*build.op(Linear, spike, head))
