"""Weight quantisers: a float weight tensor becomes integers times one positive scale."""

from __future__ import annotations

import math
import re
from typing import Any, cast

import torch
from torch import Tensor, nn

from spqc.foundation.errors import ModelError, UsageError
from spqc.ir import grids

from . import lattices
from .quantiser import Quantiser, short_scale
from .surrogates import Straight

GRIDS = ("pot", "apot", "uniform", "twn", "mint", "float")
FLOAT_BITS = 32
_LEAST_ALPHA = 2.0**-16
_TWN_CUT = 0.05
_START_SAMPLES = 1 << 16
_FORMAT = re.compile(r"q\d{1,2}\.\d{1,2}(-\w+)?")
_SAWB: dict[int, tuple[float, float]] = {4: (0.077, 1.013), 8: (0.027, 1.114)}


class FloatWeights(Quantiser):
    """No quantisation (32 bits): a baseline that cannot be compiled exactly."""

    encoding = "float"

    @property
    def is_float(self) -> bool:
        return True

    def forward(self, weight: Tensor) -> Tensor:
        return weight

    def integers(self, weight: Tensor) -> tuple[Tensor, float]:
        """Raise ModelError: there are none."""
        raise ModelError("float weights have no integer form", hint="train with weight_bits 2 to 8")


class Uniform(Quantiser):
    """Symmetric uniform grid of 2^(bits-1)-1 steps per side; scale from max|w|, or the SAWB rule at 4 and 8 bits.

    Weights that already lie on a grid of so many steps are kept: what max|w| would move gets the grid's own unit.
    """

    def __init__(self, bits: int, rule: str = "max") -> None:
        super().__init__(bits)
        if rule not in ("max", "sawb") or (rule == "sawb" and bits not in _SAWB):
            raise UsageError(f"a uniform scale rule is 'max', or 'sawb' at 4 or 8 bits, not {rule!r} at {bits}")
        self.rule = rule
        self.steps = 2 ** (bits - 1) - 1

    def lattice(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        integers, scale = self._rounded(weight, short_scale(self._range(weight) / self.steps))
        unit = lattices.unit_of(weight, self.steps) if self.rule == "max" else None
        if unit is None or torch.equal(integers * scale, weight):
            return integers, scale
        return self._rounded(weight, torch.tensor(unit))

    def _rounded(self, weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        return torch.clamp(torch.round(weight / scale), -self.steps, self.steps), scale

    def _range(self, weight: Tensor) -> float:
        if self.rule == "max":
            return float(weight.abs().max())
        spread, mean = _SAWB[self.bits]
        double = weight.double()
        return float(double.std(correction=0) / spread - mean / spread * double.abs().mean())


class FixedPoint(Quantiser):
    """Qi.f of Q-SpiNN: i integer bits (sign included) and f fractional; rounded to the nearest, or down (truncate)."""

    def __init__(self, integer: int, fraction: int, *, truncate: bool = False) -> None:
        super().__init__(integer + fraction)
        self.fraction, self.truncate = fraction, truncate

    def lattice(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        counts = weight * 2.0**self.fraction
        half = 2 ** (self.bits - 1)
        rounded = torch.floor(counts) if self.truncate else torch.floor(counts + 0.5)
        return torch.clamp(rounded, -half, half - 1), torch.tensor(2.0**-self.fraction)


class TernaryWeights(Quantiser):
    """TWN, 2 bits: sign above 0.05 max|w|, scaled by the mean magnitude above that cut."""

    def lattice(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        magnitude = weight.abs()
        kept = magnitude > _TWN_CUT * magnitude.max()
        mean = float(magnitude.double()[kept].mean()) if bool(kept.any()) else 0.0
        return torch.sign(weight) * kept, short_scale(mean)


class Mint(Quantiser):
    """MINT: tanh, clipped at a learned beta, rounded to 2^(bits-1)-1 steps a side; the membrane may share the scale."""

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.steps = 2 ** (bits - 1) - 1
        self.beta = nn.Parameter(torch.tensor(1.0))

    def start(self, weight: Tensor) -> None:
        with torch.no_grad():
            self.beta.fill_(max(float(weight.abs().mean()) * 2 / math.sqrt(self.steps), _LEAST_ALPHA))

    def scale(self, weight: Tensor) -> Tensor:
        exact = self.beta.clamp(min=_LEAST_ALPHA) / self.steps
        return cast(Tensor, Straight.apply(exact, short_scale(float(exact.detach())).to(exact)))  # type: ignore[no-untyped-call]

    def lattice(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.scale(weight)
        return torch.round(torch.clamp(torch.tanh(weight) / scale, -self.steps, self.steps)), scale

    def forward(self, weight: Tensor) -> Tensor:
        scale = self.scale(weight)
        inside = torch.clamp(torch.tanh(weight) / scale, -self.steps, self.steps)
        return cast(Tensor, Straight.apply(inside, torch.round(inside).detach())) * scale  # type: ignore[no-untyped-call]


class PowerOfTwo(Quantiser):
    """PoT and APoT grids under a learned power-of-two alpha (Eq 14-18, RCF gradient).

    alpha is the value of `unit` = 2^k >= the greatest magnitude: 1/max of the APoT grid is absorbed in alpha, which
    keeps the scale alpha / 2^k a power of two.
    """

    magnitudes: Tensor
    middles: Tensor

    def __init__(self, bits: int, encoding: str, *, normalise: bool = True) -> None:
        super().__init__(bits)
        self.encoding = encoding
        self.normalise = normalise
        levels = torch.from_numpy(grids.magnitudes(encoding, self.stored_bits)).double()
        self.unit = 2.0 ** math.ceil(math.log2(float(levels[-1])))
        self.alpha = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("magnitudes", levels.float(), persistent=False)
        self.register_buffer("middles", ((levels[1:] + levels[:-1]) / 2).float(), persistent=False)

    @property
    def stored_bits(self) -> int:
        return grids.pot_stored_bits(self.bits) if self.encoding == "pot" else self.bits

    def start(self, weight: Tensor) -> None:
        """Choose the power of two with the least squared error on the initial weights."""
        with torch.no_grad():
            target = self.condition(weight)
            sample = target.flatten()[:: max(1, target.numel() // _START_SAMPLES)]
            top = math.ceil(math.log2(max(float(target.abs().max()), _LEAST_ALPHA)))
            self.alpha.fill_(min((2.0**k for k in range(top + 2, top - 6, -1)), key=lambda a: self._error(sample, a)))

    def condition(self, weight: Tensor) -> Tensor:
        """Return (w - mean) / std over the layer (Eq 14), statistics in float64 so that thread counts do not matter."""
        if not self.normalise:
            return weight
        double = weight.double()
        spread = double.std(correction=0).clamp(min=1e-12)
        return ((double - double.mean()) / spread).to(weight.dtype)

    def power(self) -> Tensor:
        """Return alpha rounded to a power of two (Eq 16)."""
        return torch.exp2(torch.round(torch.log2(self.alpha.detach().clamp(min=_LEAST_ALPHA))))

    def nearest(self, conditioned: Tensor, scale: Tensor) -> Tensor:
        """Return the nearest grid integer in value (Eq 18); ties go to the lower magnitude."""
        index = torch.bucketize((conditioned / scale).abs(), self.middles)
        return torch.sign(conditioned) * self.magnitudes[index]

    def lattice(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.power() / self.unit
        return self.nearest(self.condition(weight), scale), scale

    def forward(self, weight: Tensor) -> Tensor:
        conditioned = self.condition(weight)
        scale = self.power() / self.unit
        integers = self.nearest(conditioned.detach(), scale)
        return cast(Tensor, _Rcf.apply(conditioned, self.alpha, integers, scale, self.unit, float(self.magnitudes[-1])))  # type: ignore[no-untyped-call]

    def _error(self, target: Tensor, alpha: float) -> float:
        scale = torch.tensor(alpha / self.unit)
        return float(((self.nearest(target, scale) * scale - target) ** 2).sum())


class _Rcf(torch.autograd.Function):
    """Straight-through for w; the clipped-range gradient for alpha (spec Eq 14-16, APoT's RCF)."""

    @staticmethod
    def forward(
        ctx: Any, conditioned: Tensor, alpha: Tensor, integers: Tensor, scale: Tensor, unit: float, top: float
    ) -> Tensor:
        ctx.save_for_backward(conditioned, integers, scale)
        ctx.unit, ctx.top = unit, top
        return integers * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        conditioned, integers, scale = ctx.saved_tensors
        gradient = alpha_gradient(
            gradients[0], conditioned / (scale * ctx.unit), integers / ctx.unit, ctx.top / ctx.unit
        )
        return gradients[0], gradient, None, None, None, None


def alpha_gradient(gradient: Tensor, ratio: Tensor, level: Tensor, greatest: float) -> Tensor:
    """Return dL/dalpha (RCF): the level where |w/alpha| is clipped at the greatest level, level - w/alpha inside."""
    return (gradient * torch.where(ratio.abs() > greatest, level, level - ratio)).sum()


def create(grid: str, bits: int, *, normalise: bool = True) -> Quantiser:
    """Return the quantiser of a grid: pot, apot, uniform, mint (2 to 8 bits), twn (2 bits), float (32 bits).

    A format `qI.F` (or `qI.F-truncate`) is fixed point, and says its bits itself.
    """
    if isinstance(grid, str) and _FORMAT.fullmatch(grid) and bits != FLOAT_BITS:
        return _fixed_point(grid)
    if grid not in GRIDS:
        raise UsageError(f"unknown weight grid {grid!r}", hint=f"one of {', '.join(GRIDS)}, or a format such as q1.4")
    if grid == "float" or bits == FLOAT_BITS:
        return FloatWeights(FLOAT_BITS)
    if not 2 <= bits <= 8:
        raise UsageError(f"weights have 2 to 8 bits, or {FLOAT_BITS} for no quantisation, not {bits}")
    if grid == "uniform":
        return Uniform(bits)
    if grid == "mint":
        return Mint(bits)
    if grid == "twn":
        return _ternary(bits)
    return PowerOfTwo(bits, grid, normalise=normalise)


def _fixed_point(grid: str) -> Quantiser:
    form, _, rounding = grid.partition("-")
    if rounding == "stochastic":
        raise UsageError(
            f"weight grid {grid!r} draws random numbers: the same network would have other weights at every evaluation",
            hint=f"{form} rounds to the nearest, {form}-truncate down",
        )
    if rounding not in ("", "nearest", "truncate"):
        raise UsageError(f"weights are rounded 'nearest' or 'truncate', not {rounding!r}")
    integer, fraction = (int(part) for part in form[1:].split("."))
    if not 2 <= integer + fraction <= 8 or integer < 1:
        raise UsageError(
            f"weight grid {grid!r} has {integer + fraction} bits, {integer} of them integer",
            hint="2 to 8 bits, of which at least one, the sign, is integer: q1.4",
        )
    return FixedPoint(integer, fraction, truncate=rounding == "truncate")


def _ternary(bits: int) -> Quantiser:
    if bits != 2:
        raise UsageError(f"the twn grid has 2 bits, not {bits}")
    return TernaryWeights(2)
