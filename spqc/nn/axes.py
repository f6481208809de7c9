"""Tensors [N, T, C, ...] and values per channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor


def over_steps(codes: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what a function of codes [N * T, ...] gives for codes [N, T, ...], with N and T apart again."""
    flat = function(codes.flatten(0, 1))
    return flat.reshape(*codes.shape[:2], *flat.shape[1:])


def affine(accumulated: Tensor, gain: npt.NDArray[Any], offset: npt.NDArray[Any]) -> Tensor:
    """Return fl(fl(n * A) + B) for n [N, T, C, ...]: two operations, each rounded once."""
    scaled = accumulated * _along_channels(gain, accumulated)
    return scaled + _along_channels(offset, accumulated)


def spread(gate: Tensor, like: Tensor) -> Tensor:
    """Return a gate [N, T, C] as [N, T, C, 1, ...], with as many axes as `like`, to multiply it."""
    return gate.reshape(*gate.shape, *[1] * (like.ndim - 3))


def live(keep: Tensor | None, gate: Tensor | None, like: Tensor) -> Tensor | None:
    """Return which neurons [N, T, C, ...] both masks let through, or None without masks."""
    if gate is None:
        return keep
    opened = spread(gate.detach() > 0.5, like).expand_as(like)
    return opened if keep is None else keep & opened


def _along_channels(values: npt.NDArray[Any], like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like.device).reshape(1, 1, -1, *[1] * (like.ndim - 3))
