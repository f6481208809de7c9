"""What every weight quantiser is, and the scales that they give."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from .surrogates import Straight

_SCALE_BITS = 16


class Quantiser(nn.Module):
    """Base of the quantisers: `forward` serves training, `integers` serves evaluation and the compiler."""

    encoding = "int"

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    @property
    def stored_bits(self) -> int:
        """Return the bits that an artifact stores of one weight: fewer than `bits` where the grid has fewer values."""
        return self.bits

    @property
    def is_float(self) -> bool:
        """Return whether weights stay floats, so that no integer program exists."""
        return False

    def start(self, weight: Tensor) -> None:
        """Set learned parameters from the initial weights [C, ...]; most quantisers have none."""

    def lattice(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return (integers as floats, scale as a 0-dim tensor) of a weight tensor."""
        raise NotImplementedError

    def forward(self, weight: Tensor) -> Tensor:
        """Return the quantised weight, equal to integers * scale; the gradient passes straight through."""
        integers, scale = self.lattice(weight.detach())
        return cast(Tensor, Straight.apply(weight, integers * scale))  # type: ignore[no-untyped-call]

    def scale(self, weight: Tensor) -> Tensor:
        """Return the real value of one unit of the integers; differentiable where it is learned."""
        return self.lattice(weight.detach())[1]

    def integers(self, weight: Tensor) -> tuple[Tensor, float]:
        """Return (int64 integers, scale); integers * scale are exactly the weights of `forward`."""
        with torch.no_grad():
            integers, scale = self.lattice(weight)
        return integers.to(torch.int64), float(scale)


def short_scale(value: float) -> Tensor:
    """Return a positive float32 scale of 16 significant bits, so that integer * scale never rounds; else 1."""
    if not 0.0 < value < math.inf:
        return torch.tensor(1.0)
    mantissa, exponent = math.frexp(value)
    return torch.tensor(math.ldexp(round(mantissa * 2**_SCALE_BITS), exponent - _SCALE_BITS))
