"""The last layer: logits at every step, no neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import exact, quantisers
from .signal import Signal

_EXACT_FLOAT32 = 1 << 24


class Classifier(nn.Module):
    """A dense layer, bias on the lattice of its weights: logits = (n + b_int) * scale, one scale for all classes."""

    def __init__(self, source: Signal, classes: int, bits: int, grid: str = "uniform") -> None:
        super().__init__()
        self.source, self.classes = source, classes
        self.weight = nn.Parameter(torch.zeros(classes, source.size))
        self.bias = nn.Parameter(torch.zeros(classes))
        self.quantiser = quantisers.create(grid, bits, normalise=False)

    @property
    def logit_scale(self) -> float:
        """Return the real value of one unit of the integer logits, rounded to the layer's arithmetic."""
        scale = self._scale()
        return float(np.float32(scale)) if self.eval_dtype == torch.float32 else scale

    @property
    def eval_dtype(self) -> torch.dtype:
        """Return float32 if every integer logit is exact in it, else float64."""
        if self.quantiser.is_float:
            return torch.float32
        weight, _ = self.integer_weight()
        bound = int((np.abs(weight).sum(axis=1) * self.source.max + np.abs(self.integer_bias())).max())
        return torch.float32 if bound < _EXACT_FLOAT32 else torch.float64

    def integer_weight(self) -> tuple[npt.NDArray[np.int64], float]:
        """Return (integer weights [classes, features], scale). Raises ModelError for float weights."""
        integers, scale = self.quantiser.integers(self.weight)
        return np.ascontiguousarray(integers.cpu().numpy()), scale

    def integer_bias(self) -> npt.NDArray[np.int64]:
        """Return the bias [classes] in units of the integer logits, rounded half to even."""
        bias = self.bias.detach().cpu().double().numpy()
        return exact.integers(bias / self._scale(), "the classifier's bias")

    def forward(self, codes: Tensor) -> Tensor:
        """Return logits [N, T, classes] of codes [N, T, features]."""
        if self.training or self.quantiser.is_float:
            return F.linear(codes, self.quantiser(self.weight)) * self.source.scale + self.bias
        with torch.no_grad():
            return self._evaluate(codes)

    def _evaluate(self, codes: Tensor) -> Tensor:
        options: dict[str, Any] = {"dtype": self.eval_dtype, "device": codes.device}
        weight = torch.from_numpy(self.integer_weight()[0]).to(**options)
        total = F.linear(codes.to(self.eval_dtype), weight) + torch.from_numpy(self.integer_bias()).to(**options)
        return total * self.logit_scale

    def _scale(self) -> float:
        return self.integer_weight()[1] * self.source.scale
