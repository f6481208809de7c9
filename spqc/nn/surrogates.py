"""Gradients of the two steps of a spiking neuron: firing and quantising the membrane."""

from __future__ import annotations

import itertools
from typing import Any, cast

import torch
from torch import Tensor

Levels = tuple[float, ...]
Middles = tuple[tuple[float, bool], ...]

TRIANGLE_WIDTH = 1.0
SIGMOID_SLOPE = 2.0
DAMPING = 0.3


def _fired(potential: Tensor, threshold: Tensor, strict: bool) -> Tensor:
    fired = potential > threshold if strict else potential >= threshold
    return fired.to(potential.dtype)


class _Fire(torch.autograd.Function):
    """u, threshold -> 0/1; triangle for u (Eq 4), a separate gated path for the threshold (Eq 25-27)."""

    @staticmethod
    def forward(ctx: Any, potential: Tensor, threshold: Tensor, strict: bool) -> Tensor:
        ctx.save_for_backward(potential, threshold)
        return _fired(potential, threshold, strict)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        potential, threshold = ctx.saved_tensors
        distance = potential - threshold
        through = gradients[0] * triangle(distance)
        gated = through * torch.sigmoid(distance) * (distance >= 0)
        return through, -gated.sum().reshape(threshold.shape), None


class _FireNormalised(torch.autograd.Function):
    """u, threshold V -> 0/1 with z = u/V - 1; do/dz = 0.3 max(0, 1 - |z|), dz/du = 1/V, dz/dV = -u/V^2 (ACE-SNN)."""

    @staticmethod
    def forward(ctx: Any, potential: Tensor, threshold: Tensor, strict: bool) -> Tensor:
        ctx.save_for_backward(potential, threshold)
        return _fired(potential, threshold, strict)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        potential, threshold = ctx.saved_tensors
        ratio = potential / threshold
        through = gradients[0] * DAMPING * torch.clamp(1.0 - (ratio - 1.0).abs(), min=0.0) / threshold
        return through, -(through * ratio).sum().reshape(threshold.shape), None


class _Quantise(torch.autograd.Function):
    """v -> nearest level by counting midpoints; stacked-sigmoid gradient (Eq 11-13), not clipped at the ends."""

    @staticmethod
    def forward(ctx: Any, potential: Tensor, levels: Levels, middles: Middles) -> Tensor:
        ctx.save_for_backward(potential)
        ctx.levels, ctx.middles = levels, middles
        return nearest_level(potential, levels, middles)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (potential,) = ctx.saved_tensors
        return gradients[0] * stacked_slope(potential, ctx.levels, ctx.middles), None, None


def fire(potential: Tensor, threshold: Tensor, *, strict: bool) -> Tensor:
    """Return 1 where the potential reaches (or, if strict, exceeds) the threshold; differentiable by surrogates."""
    return cast(Tensor, _Fire.apply(potential, threshold, strict))  # type: ignore[no-untyped-call]


def fire_normalised(potential: Tensor, threshold: Tensor, *, strict: bool) -> Tensor:
    """Return what `fire` returns: 1.0 where a potential fires, else 0.0; the gradients are those of ACE-SNN."""
    return cast(Tensor, _FireNormalised.apply(potential, threshold, strict))  # type: ignore[no-untyped-call]


def quantise(potential: Tensor, levels: Levels, middles: Middles) -> Tensor:
    """Return the stored level of each potential; differentiable by the stacked-sigmoid surrogate."""
    return cast(Tensor, _Quantise.apply(potential, levels, middles))  # type: ignore[no-untyped-call]


def straight(source: Tensor, value: Tensor) -> Tensor:
    """Return exactly `value`; its gradient goes unchanged to `source` (the straight-through estimator)."""
    return cast(Tensor, Straight.apply(source, value))  # type: ignore[no-untyped-call]


def count_levels(squashed: Tensor, potential: Tensor, scale: Tensor, counts: Levels, middles: Middles) -> Tensor:
    """Return the level of each potential, a count times `scale`; straight through inside the range (MINT).

    The gradient reaches the scale through the clipping and through the product.
    """
    inside = torch.clamp(squashed / scale, counts[0], counts[-1])
    return straight(inside, nearest_level(potential.detach(), counts, middles)) * scale


class Straight(torch.autograd.Function):
    """Forward exactly the second tensor, send the gradient to the first (straight-through)."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, value: Tensor) -> Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def triangle(distance: Tensor) -> Tensor:
    """Return the triangle surrogate of Eq 4 at u - threshold."""
    return torch.clamp(TRIANGLE_WIDTH - distance.abs(), min=0.0) / TRIANGLE_WIDTH**2


def nearest_level(potential: Tensor, levels: Levels, middles: Middles) -> Tensor:
    """Return the level whose index is the number of midpoints that the potential passes (Eq 7)."""
    passed = torch.zeros_like(potential)
    for middle, rises in middles:
        passed = passed + (potential >= middle if rises else potential > middle)
    if all(high - low == 1.0 for low, high in itertools.pairwise(levels)):
        return passed + levels[0]
    return torch.tensor(levels, dtype=potential.dtype, device=potential.device)[passed.long()]


def stacked_slope(potential: Tensor, levels: Levels, middles: Middles) -> Tensor:
    """Return Q*'(v), one sigmoid bump per step of the quantiser.

    The published form has unit steps and slope 2; a step of another height scales the bump's height and width alike.
    """
    slope = torch.zeros_like(potential)
    for low, high, (middle, _) in zip(levels, levels[1:], middles, strict=False):
        gate = torch.sigmoid(SIGMOID_SLOPE / (high - low) * (potential - middle))
        slope = slope + SIGMOID_SLOPE * gate * (1.0 - gate)
    return slope
