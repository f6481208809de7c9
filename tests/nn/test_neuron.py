"""One neuron: ties of the membrane quantiser, decay without input, and gradients through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from spqc.foundation.errors import UsageError
from spqc.ir.levels import TERNARY, midpoints

torch = pytest.importorskip("torch")

from spqc.nn.neuron import Neuron, NeuronConstants, StepRules  # noqa: E402  (torch must be there)
from spqc.nn.options import LOWEST_LEARNED_THRESHOLD, NeuronOptions  # noqa: E402

Real = npt.NDArray[np.float64]
FIVE = (-3.0, -2.0, -1.0, 0.0, 1.0)

# Rounding of a float64 that holds a float32, so that v + 1/2 never rounds.
ROUND: dict[str, Callable[[Real], Real]] = {
    "down": lambda v: np.ceil(v - 0.5),
    "up": lambda v: np.floor(v + 0.5),
    "even": np.rint,
    "away": lambda v: np.sign(v) * np.floor(np.abs(v) + 0.5),
}


def rules(neuron: Neuron, kind: str) -> StepRules:
    if kind == "training":
        return neuron.training_rules()
    options = neuron.options
    middles = midpoints(options.levels, options.ties)
    return neuron.evaluation_rules(
        NeuronConstants(options.threshold, options.leak, options.levels, middles, theta=None, fraction_bits=None)
    )


def around(points: npt.NDArray[np.float32], count: int = 200) -> npt.NDArray[np.float32]:
    """Return the points with the `count` float32 values on either side of each."""
    found = [points]
    for side in (-np.inf, np.inf):
        beside = points
        for _ in range(count):
            beside = np.nextafter(beside, np.float32(side))
            found.append(beside)
    return np.concatenate(found)


@pytest.mark.parametrize("kind", ["training", "evaluation"])
@pytest.mark.parametrize("levels", [TERNARY, FIVE])
@pytest.mark.parametrize("ties", ROUND)
def test_the_quantiser_rounds_every_tie_and_its_neighbours_by_its_rule(ties: Any, levels: Any, kind: str) -> None:
    quantise = rules(Neuron(NeuronOptions(levels=levels, ties=ties)), kind).quantise
    middles = np.array([middle for middle, _ in midpoints(levels)], dtype=np.float32)
    points = np.concatenate([around(middles), np.linspace(-5, 3, 8001, dtype=np.float32)])
    expected = np.clip(ROUND[ties](points.astype(np.float64)), levels[0], levels[-1])
    np.testing.assert_array_equal(quantise(torch.from_numpy(points)).numpy(), expected)


def test_ternary_is_two_comparisons() -> None:
    quantise = rules(Neuron(NeuronOptions()), "evaluation").quantise
    points = np.concatenate([around(np.array([-0.5, 0.5], dtype=np.float32)), np.linspace(-3, 3, 6001, dtype="f4")])
    expected = (points > 0.5).astype(np.float32) - (points <= -0.5)
    np.testing.assert_array_equal(quantise(torch.from_numpy(points)).numpy(), expected)


@pytest.mark.parametrize("ties", ROUND)
def test_just_above_minus_one_half_is_zero(ties: Any) -> None:
    point = np.nextafter(np.float32(-0.5), np.float32(0))
    assert np.ceil(point - np.float32(0.5)) == -1, "the short formula fails here: the subtraction rounds"
    for kind in ("training", "evaluation"):
        assert float(rules(Neuron(NeuronOptions(ties=ties)), kind).quantise(torch.tensor(point))) == 0.0


@pytest.mark.parametrize("kind", ["training", "evaluation"])
@pytest.mark.parametrize(
    ("ties", "after"), [("down", (-1, 0, 0)), ("even", (0, 0, 0)), ("away", (-1, 0, 1)), ("up", (0, 0, 1))]
)
def test_states_without_input(ties: Any, after: tuple[int, ...], kind: str) -> None:
    neuron = Neuron(NeuronOptions(ties=ties))
    current = torch.zeros(1, 6, 3)
    current[0, 0] = torch.tensor([-1.0, 0.0, 0.75])
    spikes, states = neuron.run(current, None, rules(neuron, kind))
    assert states[0, 0].tolist() == [-1, 0, 1]
    assert all(tuple(state) == after for state in states[0, 1:].tolist())
    assert not spikes.any()


@pytest.mark.parametrize("kind", ["training", "evaluation"])
def test_a_decaying_input_is_half_of_the_way_to_the_input(kind: str) -> None:
    neuron = Neuron(NeuronOptions(levels=tuple(i / 64 for i in range(-64, 65)), input_scale=0.5))
    current = torch.tensor([[0.5, 0.75, -1.0, 0.25]])
    _, states = neuron.run(current, None, rules(neuron, kind))
    m = 0.0
    for step, x in enumerate(current[0].tolist()):
        m = m + (x - m) / 2
        assert float(states[0, step]) == round(m * 64) / 64
        m = float(states[0, step])


@pytest.mark.parametrize("scale", [0.0, -0.5, 0.3, float("inf"), float("nan"), 2.0**17])
def test_an_input_scale_is_a_power_of_two(scale: float) -> None:
    with pytest.raises(UsageError, match="power of two"):
        NeuronOptions(input_scale=scale)


def test_a_learned_threshold_stays_where_a_leaked_one_cannot_fire() -> None:
    neuron = Neuron(NeuronOptions(learn_threshold=True))
    with torch.no_grad():
        neuron.potential_threshold.fill_(0.1)
    assert float(neuron.threshold().detach()) == LOWEST_LEARNED_THRESHOLD > 0.5


def sigmoid(z: Real) -> Real:
    return 1.0 / (1.0 + np.exp(-z))


def by_hand(x: Real, upstream: Real, v: float, leak: float) -> tuple[Real, float]:
    """Return dL/dx and dL/dthreshold of L = sum(upstream * spikes), x [T, n]: the chain rule with surrogates."""
    m, tape = np.zeros_like(x[0]), []
    for current in x:
        u = leak * m + current
        s = (u >= v).astype(np.float64)
        rest = (1 - s) * u
        m = (rest > 0.5).astype(np.float64) - (rest <= -0.5)
        tape.append((u, s, rest))
    dx, dthreshold, dm = np.zeros_like(x), 0.0, np.zeros_like(x[0])
    for t in reversed(range(len(x))):
        u, s, rest = tape[t]
        gates = [sigmoid(2 * (rest - c)) for c in (-0.5, 0.5)]
        drest = dm * sum(2 * g * (1 - g) for g in gates)
        ds = upstream[t] - drest * u
        triangle = np.maximum(0.0, 1.0 - np.abs(u - v))
        dthreshold -= float((ds * triangle * sigmoid(u - v) * (u >= v)).sum())
        dx[t] = drest * (1 - s) + ds * triangle
        dm = leak * dx[t]
    return dx, dthreshold


@pytest.mark.parametrize(("v", "leak"), [(1.0, 0.5), (0.75, 0.5), (1.25, 0.25)])
def test_gradients_through_time_are_those_of_the_equations(v: float, leak: float) -> None:
    rng = np.random.default_rng(1)
    x, upstream = rng.normal(0.4, 1.0, (5, 40)), rng.normal(size=(5, 40))
    neuron = Neuron(NeuronOptions(threshold=v, leak=leak, learn_threshold=True))
    current = torch.tensor(x[np.newaxis], requires_grad=True)
    spikes, _ = neuron.run(current, None, neuron.training_rules())
    (spikes * torch.tensor(upstream)).sum().backward()

    dx, dthreshold = by_hand(x, upstream, v, leak)
    assert 0.1 < float(spikes.detach().mean()) < 0.9
    np.testing.assert_allclose(current.grad[0].numpy(), dx, rtol=1e-10, atol=1e-12)
    assert abs(dthreshold) > 0.1
    assert float(neuron.potential_threshold.grad) == pytest.approx(dthreshold, rel=1e-5)
