"""The spatial mask and the channel gate of a spiking layer (SpQuant-SNN Eq 21-23)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from . import exact, quantisers
from .options import MaskOptions
from .signal import Signal

_QUANTILE_SAMPLES = 1 << 18
_EMA = 0.1


class SpatialMask(nn.Module):
    """Silences the fraction of neurons with the smallest |x|: below a calibrated theta, or by rank at every step."""

    theta: Tensor

    def __init__(self, options: MaskOptions) -> None:
        super().__init__()
        self.options = options
        self.fraction = options.spatial_mask or 0.0
        self.register_buffer("theta", torch.tensor(0.0))

    def keep(self, current: Tensor, theta: float) -> Tensor:
        """Return, shaped like x [N, T, C, ...], whether |x|, or its mean over channels, is above theta or the rank."""
        importance = current.detach().abs()
        if self.options.granularity == "pixel":
            importance = importance.mean(dim=2, keepdim=True)
        bound = self._rank(importance) if self.options.spatial_rule == "topk" else theta
        return (importance > bound).expand_as(current)

    def observe(self, current: Tensor, momentum: float = _EMA) -> None:
        """Move theta towards the quantile of |x| on this batch; momentum 1 sets it."""
        importance = current.detach().abs()
        if self.options.granularity == "pixel":
            importance = importance.mean(dim=2)
        self.theta.lerp_(_quantile(importance.flatten(), self.fraction), momentum)

    def _rank(self, importance: Tensor) -> Tensor:
        flat = importance.flatten(2)
        count = int(self.fraction * flat.shape[2])
        if count == 0:
            return torch.full_like(flat[..., :1], -1.0).reshape(*importance.shape[:2], *[1] * (importance.ndim - 2))
        smallest = flat.kthvalue(count, dim=2).values
        return smallest.reshape(*importance.shape[:2], *[1] * (importance.ndim - 2))


class ChannelGate(nn.Module):
    """One open-or-shut decision per channel, sample and step, from the layer's own input codes.

    count_c sums the codes of input channel c; the gate is open where W count + b > 0 in integers, which is
    sigmoid(W mean + b) > gate_threshold. Straight-through gradient of the sigmoid; the input is detached.
    """

    def __init__(self, source: Signal, channels: int, options: MaskOptions) -> None:
        super().__init__()
        self.source, self.options = source, options
        self.weight = nn.Parameter(torch.zeros(channels, source.shape[0]))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.quantiser = quantisers.create("uniform", 8)

    def integer_gate(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return (W [C, C_in], b [C]) with: gate open where W @ count + b > 0."""
        integers, scale = self.quantiser.integers(self.weight)
        threshold = self.options.gate_threshold
        offset = self.bias.detach().cpu().double().numpy() - math.log(threshold / (1.0 - threshold))
        bias = exact.integers(offset * (self.source.plane / (scale * self.source.scale)), "a channel gate's bias")
        return integers.cpu().numpy(), bias

    def forward(self, codes: Tensor) -> Tensor:
        """Return the gate [N, T, C] of codes [N, T, C_in, ...]."""
        count = self._count(codes.detach())
        if not self.training:
            return self._open(count)
        probability = self._probability(count.to(self.weight.dtype))
        return self._open(count).to(probability.dtype) + probability - probability.detach()

    def _count(self, codes: Tensor) -> Tensor:
        count = codes.double().flatten(3).sum(dim=3) if codes.ndim > 3 else codes.double()
        return count.mean(dim=1, keepdim=True).expand_as(count) if self.options.gate_input == "time" else count

    def _open(self, count: Tensor) -> Tensor:
        if self.options.gate_nonlinearity == "softmax":
            return (self._probability(count.to(self.weight.dtype)).detach() > self.options.gate_threshold).float()
        weight, bias = self.integer_gate()
        evidence = count @ torch.from_numpy(weight).double().to(count.device).T + torch.from_numpy(bias).to(count)
        return (evidence > 0).float()

    def _probability(self, count: Tensor) -> Tensor:
        mean = count * (self.source.scale / self.source.plane)
        evidence = mean @ self.quantiser(self.weight).T + self.bias
        return evidence.softmax(dim=2) if self.options.gate_nonlinearity == "softmax" else torch.sigmoid(evidence)


def _quantile(values: Tensor, fraction: float) -> Tensor:
    """Return the value below which `fraction` of the values lie, from an even subsample of large tensors."""
    sampled = values[:: max(1, values.numel() // _QUANTILE_SAMPLES)]
    rank = min(max(math.ceil(fraction * sampled.numel()), 1), sampled.numel())
    return sampled.kthvalue(rank).values
