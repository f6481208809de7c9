"""Firing and membrane quantisation: values, ties and surrogate gradients."""

from __future__ import annotations

import numpy as np
import pytest

from spqc.ir.levels import Ties, midpoints

torch = pytest.importorskip("torch")

from spqc.nn import surrogates  # noqa: E402  (torch must be there)

TERNARY = (-1.0, 0.0, 1.0)


def gradient_of_quantise(points: list[float], levels: tuple[float, ...]) -> torch.Tensor:
    potential = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    surrogates.quantise(potential, levels, midpoints(levels)).sum().backward()
    assert potential.grad is not None
    return potential.grad


def test_stacked_gradient_at_the_published_points() -> None:
    found = gradient_of_quantise([-1.5, -1, -0.5, 0, 0.5, 1, 1.5], TERNARY)
    expected = [0.2453, 0.4836, 0.7100, 0.7864, 0.7100, 0.4836, 0.2453]
    np.testing.assert_allclose(found.numpy(), expected, atol=5e-5)


def test_stacked_gradient_integrates_to_the_range() -> None:
    points = np.linspace(-20, 20, 40001)
    found = gradient_of_quantise(points.tolist(), (-3.0, -2.0, -1.0, 0.0, 1.0)).numpy()
    assert np.trapezoid(found, points) == pytest.approx(4.0, abs=1e-6)


@pytest.mark.parametrize("levels", [TERNARY, (-3.0, -2.0, -1.0, 0.0, 1.0), (-0.5, 0.0, 0.125, 1.0)])
def test_quantiser_is_the_nearest_level_with_ties_to_the_lower(levels: tuple[float, ...]) -> None:
    middles = midpoints(levels)
    ties = np.array([middle for middle, _ in middles], dtype=np.float32)
    beside = [np.nextafter(ties, np.float32(side)) for side in (-9, 9)]
    points = np.concatenate([ties, *beside, np.linspace(-5, 3, 10001, dtype=np.float32)])
    ascending = np.array(levels)
    expected = ascending[np.abs(points.astype(np.float64)[:, None] - ascending).argmin(axis=1)]
    np.testing.assert_array_equal(surrogates.nearest_level(torch.from_numpy(points), levels, middles).numpy(), expected)


@pytest.mark.parametrize(
    ("ties", "after"), [("down", (-1, 0, 0)), ("even", (0, 0, 0)), ("away", (-1, 0, 1)), ("up", (0, 0, 1))]
)
def test_zero_input_map(ties: Ties, after: tuple[int, ...]) -> None:
    leaked = 0.5 * torch.tensor([-1.0, 0.0, 1.0])
    assert tuple(surrogates.nearest_level(leaked, TERNARY, midpoints(TERNARY, ties)).tolist()) == after


def test_fire_at_the_threshold_is_a_choice() -> None:
    threshold = torch.tensor(1.0)
    assert float(surrogates.fire(torch.tensor(1.0), threshold, strict=False)) == 1.0
    assert float(surrogates.fire(torch.tensor(1.0), threshold, strict=True)) == 0.0


def test_firing_gradients_are_the_triangle_and_the_gated_path() -> None:
    rng = np.random.default_rng(0)
    u, upstream, v = rng.normal(0.8, 1.0, (5, 4, 7)), rng.normal(size=(5, 4, 7)), 0.9
    potential = torch.tensor(u, requires_grad=True)
    threshold = torch.tensor(v, dtype=torch.float64, requires_grad=True)
    (surrogates.fire(potential, threshold, strict=False) * torch.tensor(upstream)).sum().backward()

    triangle = np.maximum(0.0, 1.0 - np.abs(u - v))
    gate = 1.0 / (1.0 + np.exp(-(u - v)))
    assert potential.grad is not None
    assert threshold.grad is not None
    np.testing.assert_allclose(potential.grad.numpy(), upstream * triangle, rtol=1e-12)
    assert float(threshold.grad) == pytest.approx(-(upstream * triangle * gate * (u >= v)).sum(), rel=1e-12)
