"""Static sparsity of weights: learned gates (L0, hard concrete) per weight or block, or N of every M kept by magnitude.

A gate multiplies the quantised weight by 0 or 1, in training as in evaluation, so that a pruned weight is the integer 0
of every grid. The hard-concrete distribution is that of Louizos, Welling and Kingma (2018): a stretched, clipped
sigmoid of noise. Here a sample is rounded to 0 or 1 (a real factor would leave the grid) and keeps its gradient.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from spqc.foundation.errors import UsageError

_LOW, _HIGH, _TEMPERATURE = -0.1, 1.1, 2.0 / 3.0
_START = 2.0
"""Where the logits of gates start: open with a probability of 0.97."""
_SPEED = 10.0
"""Logits are this many times the parameter: Adam moves every parameter alike, and these have further to go."""


@dataclass(frozen=True)
class Pattern:
    """Which weights of an output channel are 0 together or in turn, counted along its flattened fan-in.

    block: weights that share one learned gate; keep, of: the N and M of N:M, or 0, 0.
    outputs: 0, or the output channels that share a gate, with `block` input channels at one place of the window.
    """

    block: int = 1
    keep: int = 0
    of: int = 0
    outputs: int = 0


def parse(text: str) -> Pattern | None:
    """Return the pattern of `none`, `l0`, `block:B`, `tile:OxI` or `N:M`. Raises UsageError."""
    if text == "none":
        return None
    if text == "l0":
        return Pattern()
    block, ratio = re.fullmatch(r"block:(\d+)", text), re.fullmatch(r"(\d+):(\d+)", text)
    if block and int(block[1]) >= 1:
        return Pattern(block=int(block[1]))
    tile = re.fullmatch(r"tile:([1-9]\d*)x([1-9]\d*)", text)
    if tile:
        return Pattern(block=int(tile[2]), outputs=int(tile[1]))
    if ratio and 1 <= int(ratio[1]) < int(ratio[2]):
        return Pattern(keep=int(ratio[1]), of=int(ratio[2]))
    hint = (
        "none, l0, block:B for blocks of B weights, tile:OxI for O outputs by I inputs (tile:16x4 saves time), "
        "or N:M for N kept of every M, e.g. 2:4"
    )
    raise UsageError(f"sparsity cannot be {text!r}", hint=hint)


class WeightGates(nn.Module):
    """One learned gate a block of weights of a tensor [C, ...]; open in evaluation where its logit is positive."""

    def __init__(self, shape: torch.Size, block: int) -> None:
        super().__init__()
        self.shape, self.block = shape, block
        fan_in = math.prod(shape[1:])
        self.position = nn.Parameter(torch.full((shape[0], -(-fan_in // block)), _START / _SPEED))

    def logits(self) -> Tensor:
        """Return the logit of each gate's probability to be open, before it is stretched."""
        return _SPEED * self.position

    def forward(self, weight: Tensor) -> Tensor:
        """Return the gates as 0 or 1, shaped like the weight; sampled in training, from torch's generator."""
        if not self.training:
            return self.evaluation_gates()
        noise = torch.rand_like(self.position).clamp(1e-6, 1 - 1e-6)
        sample = torch.sigmoid((torch.logit(noise) + self.logits()) / _TEMPERATURE)
        stretched = (sample * (_HIGH - _LOW) + _LOW).clamp(0.0, 1.0)
        rounded = (stretched > 0.5).to(stretched.dtype)
        return self._spread(rounded + (stretched - stretched.detach()))

    def evaluation_gates(self) -> Tensor:
        """Return the gates of the evaluation, 0 or 1, shaped like the weight."""
        return self._spread((self.position > 0).to(self.position.dtype))

    def density(self) -> Tensor:
        """Return the expected share of gates that are not 0, differentiable: what an L0 penalty weighs."""
        return torch.sigmoid(self.logits() - _TEMPERATURE * math.log(-_LOW / _HIGH)).mean()

    def _spread(self, gates: Tensor) -> Tensor:
        fan_in = math.prod(self.shape[1:])
        return gates.repeat_interleave(self.block, dim=1)[:, :fan_in].reshape(self.shape)


class TileGates(WeightGates):
    """One learned gate for `outputs` by `inputs` channels at each place of the window of a tensor [C, C_in, ...].

    Of 16 outputs by 4 inputs, closed gates are the rows of zeros that the compiler's kernels leave out.
    """

    def __init__(self, shape: torch.Size, outputs: int, inputs: int) -> None:
        super().__init__(shape, inputs)
        self.outputs = outputs
        gates = (-(-shape[0] // outputs), -(-shape[1] // inputs), *shape[2:])
        self.position = nn.Parameter(torch.full(gates, _START / _SPEED))

    def _spread(self, gates: Tensor) -> Tensor:
        wide = gates.repeat_interleave(self.outputs, 0)[: self.shape[0]]
        return wide.repeat_interleave(self.block, 1)[:, : self.shape[1]]


class Magnitudes(nn.Module):
    """Keeps the `keep` weights of greatest magnitude of every `of` neighbours; a last, shorter group keeps as many."""

    def __init__(self, shape: torch.Size, keep: int, of: int) -> None:
        super().__init__()
        self.shape, self.keep, self.of = shape, keep, of

    def forward(self, weight: Tensor) -> Tensor:
        """Return 1 for weights [C, ...] that stay and 0 for the others; ties go to the first."""
        flat = weight.detach().abs().flatten(1)
        padding = -flat.shape[1] % self.of
        groups = nn.functional.pad(flat, (0, padding), value=-1.0).reshape(flat.shape[0], -1, self.of)
        order = groups.argsort(dim=2, descending=True, stable=True)
        kept = torch.zeros_like(groups).scatter_(2, order[..., : self.keep], 1.0)
        return kept.flatten(1)[:, : flat.shape[1]].reshape(self.shape)


def create(text: str, shape: torch.Size) -> WeightGates | Magnitudes | None:
    """Return the module that prunes a weight tensor of this shape, or None."""
    pattern = parse(text)
    if pattern is None:
        return None
    if pattern.outputs:
        return TileGates(shape, pattern.outputs, pattern.block)
    return Magnitudes(shape, pattern.keep, pattern.of) if pattern.of else WeightGates(shape, pattern.block)


def straight(weight: Tensor, mask: Tensor) -> Tensor:
    """Return weight * mask whose gradient reaches every weight, pruned ones too, so that they may come back."""
    return weight + (weight * mask - weight).detach()


def penalty(network: nn.Module) -> Tensor | None:
    """Return the mean expected density over the learned gates of a network, or None where it has none."""
    densities = [module.density() for module in network.modules() if isinstance(module, WeightGates)]
    return cast(Tensor, sum(densities)) / len(densities) if densities else None
