"""Weight quantisers: grids, nearest levels, ties, exact products, and the gradient of alpha."""

from __future__ import annotations

import numpy as np
import pytest

from spqc.foundation.errors import UsageError
from spqc.ir import grids

torch = pytest.importorskip("torch")

from spqc.nn import quantisers  # noqa: E402  (torch must be there)

KINDS = [(grid, bits) for grid in ("pot", "apot", "uniform") for bits in range(2, 9)] + [("twn", 2)]


def weights(seed: int = 0, shape: tuple[int, ...] = (16, 8, 3, 3)) -> torch.Tensor:
    return torch.empty(shape).normal_(0.1, 0.3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("bits", "expected"),
    [(2, {0, 1}), (3, {0, 0.25, 0.5, 1}), (4, {0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1})],
)
def test_the_power_of_two_grid_is_the_published_one(bits: int, expected: set[float]) -> None:
    quantiser = quantisers.PowerOfTwo(bits, "pot")
    assert set((quantiser.magnitudes / quantiser.unit).tolist()) == expected


@pytest.mark.parametrize(
    ("bits", "levels", "unit"),
    [
        (2, {0, 1}, 1),
        (3, {0, 1, 2, 4}, 4),
        (4, {0, 1, 2, 3, 4, 6, 8, 10}, 16),
        (5, {0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48}, 64),
    ],
)
def test_the_additive_grid_is_the_published_one(bits: int, levels: set[int], unit: int) -> None:
    quantiser = quantisers.PowerOfTwo(bits, "apot")
    assert set(quantiser.magnitudes.int().tolist()) == levels
    assert quantiser.unit == unit


def test_large_additive_grids_have_the_published_size_and_top() -> None:
    assert [(len(grids.apot_magnitudes(b)), int(grids.apot_magnitudes(b)[-1])) for b in (6, 7, 8)] == [
        (32, 100),
        (64, 448),
        (128, 904),
    ]


@pytest.mark.parametrize(("grid", "bits"), KINDS)
def test_training_weights_are_exactly_the_integers_times_the_scale(grid: str, bits: int) -> None:
    quantiser, weight = quantisers.create(grid, bits), weights()
    quantiser.start(weight)
    integers, scale = quantiser.integers(weight)
    # float64 holds a product of a float32 scale and these integers without rounding.
    assert torch.equal(quantiser(weight).double(), integers.double() * scale)
    assert integers.dtype == torch.int64
    assert integers.unique().numel() > 1


@pytest.mark.parametrize(("grid", "bits"), [(g, b) for g, b in KINDS if g in ("pot", "apot")])
def test_power_of_two_scales_and_grid_members(grid: str, bits: int) -> None:
    quantiser = quantisers.create(grid, bits)
    weight = weights(1)
    quantiser.start(weight)
    integers, scale = quantiser.integers(weight)
    assert np.log2(scale) == np.rint(np.log2(scale))
    allowed = set(grids.magnitudes(quantiser.encoding, quantiser.stored_bits).tolist())
    assert set(integers.abs().unique().tolist()) <= allowed


def test_stored_bits_and_encodings() -> None:
    found = {key: (q.encoding, q.stored_bits) for key in KINDS for q in [quantisers.create(*key)]}
    assert found["pot", 4] == ("pot", 4)
    assert found["pot", 8] == ("pot", 5), "exponents stop at -14: 31 levels"
    assert found["apot", 8] == ("apot", 8)
    assert found["uniform", 8] == ("int", 8)
    assert found["twn", 2] == ("int", 2)


@pytest.mark.parametrize(("encoding", "bits"), [("pot", 4), ("apot", 4), ("apot", 5)])
def test_nearest_level_is_the_argmin_and_ties_go_to_the_lower_magnitude(encoding: str, bits: int) -> None:
    quantiser = quantisers.PowerOfTwo(bits, encoding, normalise=False)
    magnitudes = quantiser.magnitudes.double()
    ties = (magnitudes[1:] + magnitudes[:-1]) / 2
    spread = torch.linspace(0, 1.3 * float(magnitudes[-1]), 4001, dtype=torch.float64)
    points = torch.cat([ties, magnitudes, spread]).float()
    expected = magnitudes[(points.double()[:, None] - magnitudes).abs().argmin(dim=1)]
    one = torch.tensor(1.0)
    assert torch.equal(quantiser.nearest(points, one).double(), expected)
    assert torch.equal(quantiser.nearest(-points, one).double(), -expected)


@pytest.mark.parametrize(("encoding", "alpha"), [("pot", 2.0), ("apot", 4.0), ("apot", 0.5)])
def test_the_alpha_gradient_is_rcf(encoding: str, alpha: float) -> None:
    quantiser, weight = quantisers.PowerOfTwo(4, encoding), weights(2)
    with torch.no_grad():
        quantiser.alpha.fill_(alpha)
    upstream = weights(3).abs()
    (quantiser(weight) * upstream).sum().backward()

    w = weight.double().numpy()
    ratio = ((w - w.mean()) / w.std()) / alpha
    grid = grids.magnitudes(encoding, 4) / quantiser.unit
    level = np.sign(ratio) * grid[np.abs(np.abs(ratio)[..., None] - grid).argmin(axis=-1)]
    clipped = np.abs(ratio) > grid[-1]
    expected = (upstream.numpy() * np.where(clipped, np.sign(ratio) * grid[-1], level - ratio)).sum()
    assert alpha > 1 or clipped.any()
    assert float(quantiser.alpha.grad) == pytest.approx(expected, rel=1e-4)


def test_alpha_is_rounded_to_a_power_of_two() -> None:
    quantiser = quantisers.PowerOfTwo(4, "pot")
    with torch.no_grad():
        quantiser.alpha.fill_(3.1)
    assert float(quantiser.power()) == 4.0


def test_straight_through_leaves_the_gradient_of_uniform_weights_alone() -> None:
    weight = weights().requires_grad_()
    upstream = weights(5)
    (quantisers.create("uniform", 4)(weight) * upstream).sum().backward()
    assert torch.equal(weight.grad, upstream)


GRIDS_KEPT = [("uniform", bits) for bits in range(2, 9)] + [("twn", 2), ("q1.4", 5), ("q8.0", 8)]


@pytest.mark.parametrize(("grid", "bits"), GRIDS_KEPT)
def test_quantising_quantised_weights_gives_the_same_integers(grid: str, bits: int) -> None:
    quantiser = quantisers.create(grid, bits)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        for weight in (torch.randn(6, 5, generator=generator), torch.randn(1, 2, generator=generator).expand(4, 2)):
            integers, scale = quantiser.integers(weight)
            again, same = quantiser.integers(integers * scale)
            assert torch.equal(again, integers) and same == scale


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("unit", [1.0, 0.25, 2.0**-7, 0.3, 3.0])
def test_uniform_keeps_weights_that_lie_on_a_grid(bits: int, unit: float) -> None:
    quantiser, top = quantisers.create("uniform", bits), 2 ** (bits - 1) - 1
    short = float(torch.tensor(unit).to(torch.bfloat16))
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        wanted = torch.randint(-top, top + 1, (4, 3), generator=generator) // (1 + seed % 3)
        integers, scale = quantiser.integers(wanted * short)
        assert torch.equal(integers * scale, wanted * short) and bool((integers.abs() <= top).all())
        if unit == 1.0:
            assert torch.equal(integers, wanted) and scale == 1.0
        assert torch.equal(quantiser(wanted * short), wanted * short)


def test_uniform_keeps_integers_as_they_are() -> None:
    integers, scale = quantisers.create("uniform", 4).integers(torch.tensor([5.0, 4.0, -3.0, 1.0]))
    assert (integers.tolist(), scale) == ([5, 4, -3, 1], 1.0)
    integers, scale = quantisers.create("uniform", 8).integers(torch.tensor([0.0, 1.0, -1.0, 1.0]))
    assert (integers.tolist(), scale) == ([0, 1, -1, 1], 1.0), "ternary weights"


def test_one_value_alone_tells_no_grid() -> None:
    integers, scale = quantisers.create("uniform", 8).integers(torch.ones(3, 2))
    assert bool((integers == 127).all()) and abs(127 * scale - 1) < 2.0**-16


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_stop_no_training(value: float) -> None:
    weight = torch.tensor([[1.0, value], [2.0, 3.0]], requires_grad=True)
    assert quantisers.create("uniform", 4)(weight).shape == (2, 2)


@pytest.mark.parametrize("grid", ["pot", "apot", "uniform", "twn"])
def test_equal_and_zero_weights_have_a_positive_scale(grid: str) -> None:
    quantiser = quantisers.create(grid, 2)
    for weight in (torch.zeros(3, 2), torch.full((3, 2), 0.7)):
        quantiser.start(weight)
        integers, scale = quantiser.integers(weight)
        assert scale > 0
        assert bool((integers.abs() <= 1).all())


@pytest.mark.parametrize(("grid", "bits"), [("pot", 1), ("pot", 9), ("twn", 4), ("log", 4)])
def test_wrong_grids_are_refused(grid: str, bits: int) -> None:
    with pytest.raises(UsageError):
        quantisers.create(grid, bits)
