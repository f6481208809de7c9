"""Neurons whose membranes are integers: fixed point (ACE-SNN, Q-SpiNN) and Loihi's current and voltage.

Training runs in floats, with leak and threshold already rounded as the integers will be (straight through); evaluation
runs the integers themselves, in units that the layer's sums give: `unit` is the real value of 1 in a sum n.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from spqc.foundation.errors import ModelError
from spqc.ir.fixed_point import Compartment, Integration, bits_for

from . import surrogates
from .options import NeuronOptions

Numbers = Integration | Compartment
Parts = TypeVar("Parts")

WIDEST = 31
LOIHI_FRACTION = 12
LOIHI_SHIFT = 6
_LOIHI_THRESHOLD = 2**17 - 1
_LOIHI_GREATEST_SUM = 2**18
_MANTISSA, _GREATEST_EXPONENT = 2**12 - 1, 7


class IntegerNeuron(nn.Module):
    """Base: one threshold and one leak a layer, learned or not."""

    def __init__(self, options: NeuronOptions) -> None:
        super().__init__()
        self.options = options
        self.potential_threshold = nn.Parameter(torch.tensor(options.threshold), requires_grad=options.learn_threshold)
        self.leak_factor = nn.Parameter(torch.tensor(float(options.leak)), requires_grad=options.learn_leak)

    def threshold(self) -> Tensor:
        """Return the threshold (a float32 scalar) before it is rounded to the membrane's unit."""
        return self.potential_threshold

    def threshold_count(self, unit: float) -> int:
        """Return the threshold in units of the membrane, at least 1. Raises ModelError for one out of reach."""
        count = max(1, round(float(self.potential_threshold.detach()) / unit))
        if count >= 2**WIDEST:
            raise ModelError(
                f"the threshold is {count:g} units of the membrane, and a membrane has {WIDEST} bits at most",
                hint="lower the threshold, or use fewer fractional bits",
            )
        return count

    def leak_count(self, bits: int) -> int:
        """Return the leak, cut to [0, 1], times 2^bits, rounded half to even."""
        leak: float = min(max(self.leak_factor.item(), 0.0), 1.0)
        return round(leak * 2.0**bits)

    def _rounded(self, unit: float, bits: int) -> tuple[Tensor, Tensor]:
        """Return (leak, threshold) as the evaluation has them; gradients pass straight through."""
        leak = torch.tensor(self.leak_count(bits) / 2**bits)
        threshold = torch.tensor(self.threshold_count(unit) * unit)
        return (
            surrogates.straight(self.leak_factor, leak.to(self.leak_factor)),
            surrogates.straight(self.potential_threshold, threshold.to(self.potential_threshold)),
        )

    def _fire(self, potential: Tensor, threshold: Tensor) -> Tensor:
        gradient = surrogates.fire if self.options.surrogate == "triangle" else surrogates.fire_normalised
        return gradient(potential, threshold, strict=self.options.fire == "gt")


class FixedNeuron(IntegerNeuron):
    """A leaky integrator: U = round(leak * U) + x, fires above V, loses V (soft) or everything (hard).

    The membrane counts `unit`, or 2^-membrane_fraction where the options say so.
    """

    def membrane_unit(self, unit: float) -> float:
        """Return the real value of 1 in the membrane, where `unit` is that of 1 in a sum."""
        fraction = self.options.membrane_fraction
        return unit if fraction is None else 2.0**-fraction

    def numbers(self, unit: float, low: int, high: int, steps: int) -> Integration:
        """Return the integers of the evaluation for sums in [low, high] over `steps` steps. Raises ModelError.

        Without `membrane_bits` the width is proven: over all time where the leak is below 1, else over the steps.
        """
        options, own = self.options, self.membrane_unit(unit)
        widest = Integration(
            bits=options.membrane_bits or WIDEST,
            leak=self.leak_count(options.leak_bits),
            leak_shift=options.leak_bits,
            shift=_power(unit * options.input_scale / own),
            threshold=self.threshold_count(own),
            fire=options.fire,
            reset=options.reset,
            rounding=options.rounding,
            overflow=options.overflow,
        )
        bits = options.membrane_bits or _proven_bits(widest, low, high, steps)
        return Integration(**{**vars(widest), "bits": bits})

    def train_run(self, current: Tensor, bias: Tensor | None, unit: float) -> tuple[Tensor, Tensor]:
        """Return spikes and membranes [N, T, ...] of real currents [N, T, ...], with surrogate gradients."""
        leak, threshold = self._rounded(self.membrane_unit(unit), self.options.leak_bits)
        membrane = torch.zeros_like(current[:, 0])
        spikes, membranes = [], []
        for step in range(current.shape[1]):
            x = current[:, step] if bias is None else current[:, step] + bias
            potential = leak * membrane + self.options.input_scale * x
            spike = self._fire(potential, threshold)
            # the reset sends its gradient to the threshold alone (DIET-SNN, which ACE-SNN follows)
            soft = potential - threshold * spike.detach()
            membrane = soft if self.options.reset == "soft" else potential * (1.0 - spike)
            spikes.append(spike)
            membranes.append(membrane)
        return torch.stack(spikes, dim=1), torch.stack(membranes, dim=1)

    def run(self, n: Tensor, bias: Tensor, numbers: Integration) -> tuple[Tensor, Tensor]:
        """Return spikes and membranes [N, T, ...] (int64) of sums [N, T, ...] (int64), from membrane 0."""
        membrane = torch.zeros_like(n[:, 0])
        spikes, membranes = [], []
        for step in range(n.shape[1]):
            fires, membrane = numbers.advance(n[:, step] + bias, membrane)
            spikes.append(fires)
            membranes.append(membrane)
        return torch.stack(spikes, dim=1), torch.stack(membranes, dim=1)


class LoihiNeuron(IntegerNeuron):
    """Loihi's neuron, bit for bit as Lava computes it; see `Compartment`. One unit of a sum is 64 of the voltage."""

    def numbers(self, unit: float, low: int, high: int, steps: int) -> Compartment:
        """Return the integers of the evaluation for sums in [low, high]. Raises ModelError where they do not fit."""
        threshold = self.threshold_count(unit)
        if threshold > _LOIHI_THRESHOLD:
            raise ModelError(
                f"the threshold is {threshold} times the scale of the weights; Loihi's has 17 bits",
                hint="lower the threshold, or use fewer weight bits",
            )
        if max(-low, high) > _LOIHI_GREATEST_SUM:
            raise ModelError(
                f"sums of up to {max(-low, high)} leave Loihi's 24-bit current more than once a step",
                hint="use fewer inputs a neuron, or fewer weight bits",
            )
        return Compartment(
            current_leak=min(round(self.options.current_leak * 2**LOIHI_FRACTION), 2**LOIHI_FRACTION - 1),
            leak=max(1, self.leak_count(LOIHI_FRACTION)),
            leak_shift=LOIHI_FRACTION,
            shift=LOIHI_SHIFT,
            threshold=threshold << LOIHI_SHIFT,
        )

    def train_run(self, current: Tensor, bias: Tensor | None, unit: float) -> tuple[Tensor, Tensor]:
        """Return spikes and states [N, T, 2, ...] of real currents [N, T, ...], with surrogate gradients."""
        leak, threshold = self._rounded(unit, LOIHI_FRACTION)
        u = v = torch.zeros_like(current[:, 0])
        spikes, states = [], []
        for step in range(current.shape[1]):
            u = self.options.current_leak * u + current[:, step]
            v = leak * v + u if bias is None else leak * v + u + bias
            spike = self._fire(v, threshold)
            v = v * (1.0 - spike)
            spikes.append(spike)
            states.append(torch.stack([u, v], dim=1))
        return torch.stack(spikes, dim=1), torch.stack(states, dim=1)

    def run(self, n: Tensor, bias: Tensor, numbers: Compartment) -> tuple[Tensor, Tensor]:
        """Return spikes [N, T, ...] and states [N, T, 2, ...], current and voltage (int64), of sums (int64)."""
        u = v = torch.zeros_like(n[:, 0])
        spikes, states = [], []
        for step in range(n.shape[1]):
            fires, u, v = numbers.advance(n[:, step], u, v, bias)
            spikes.append(fires)
            states.append(torch.stack([u, v], dim=1))
        return torch.stack(spikes, dim=1), torch.stack(states, dim=1)


def create(options: NeuronOptions) -> FixedNeuron | LoihiNeuron:
    """Return the neuron of an integer membrane."""
    return LoihiNeuron(options) if options.membrane == "loihi" else FixedNeuron(options)


def loihi_bias(value: float) -> int:
    """Return a bias in units of the voltage as Loihi holds it: a mantissa of 13 bits with an exponent of 0 to 7."""
    for exponent in range(_GREATEST_EXPONENT + 1):
        mantissa = round(value / 2**exponent)
        if abs(mantissa) <= _MANTISSA:
            return int(mantissa * 2**exponent)
    return int(math.copysign(_MANTISSA << _GREATEST_EXPONENT, value))


def _proven_bits(numbers: Integration, low: int, high: int, steps: int) -> int:
    """Return the least of 16 and 31 bits that holds the membrane over all time, or else over the steps."""
    always, within = numbers.reach(low, high), numbers.reach(low, high, steps)
    for reach in (always, within):
        if reach is not None and bits_for(*reach) <= WIDEST:
            return 16 if bits_for(*reach) <= 16 else WIDEST
    needed = bits_for(*within) if within is not None else WIDEST + 1
    raise ModelError(
        f"the membrane needs {needed} bits after {steps} steps, {WIDEST} are the most",
        hint="use a smaller leak, fewer weight bits, or membrane_bits with overflow='saturate'",
    )


def _power(ratio: float) -> int:
    """Return log2 of a power of two. Raises ModelError for anything else."""
    mantissa, exponent = math.frexp(ratio)
    if mantissa != 0.5:
        raise ModelError(
            f"one unit of a sum is {ratio:g} units of the membrane, no power of two",
            hint="use weights in fixed point (weight_grid='q1.4'), or leave out membrane_fraction",
        )
    return exponent - 1
