"""Neurons whose membranes are integers: leaky integration in fixed point, and Loihi's pair of current and voltage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..fixed_point import Compartment, Fire, Integration, Overflow, Reset, Rounding
from ..types import Array, Type
from .pointwise import per_channel
from .spiking import Spiking

_WIDEST = 62  # bits that sums on the way may take


@dataclass(frozen=True)
class Integrate(Spiking):
    """A leaky integrator in fixed point (ACE-SNN, Q-SpiNN): its state is the membrane U, and sums have the width of U.

    u = fit(shift(leak * U, -leak_shift) + shift(n, shift)); it spikes where u > threshold (`gt`) or u >= threshold
    (`ge`); then U = fit(u - threshold) where it spiked (`soft`), 0 there (`hard`), or u (`none`). shift(x, p) is
    x * 2^p, rounded where p < 0; fit brings a sum into the range of the state (`spqc.ir.fixed_point.Integration`).

    Operands: n, integers [C, ...]; membrane, a signed `int` of n's shape.
    Result: spikes of n's shape; the next membrane, of the type of the membrane.
    leak: numerator of the leak, from 0 to 2^leak_shift.
    leak_shift: the leak is leak / 2^leak_shift; 0 to 62.
    shift: n counts 2^shift units of the membrane.
    threshold: in units of the membrane, from 1 to 2^31 - 1.
    fire: whether the threshold itself is exceeded (`gt`) or reached (`ge`).
    reset: what a spike does to the membrane: subtract the threshold, clear it, or nothing.
    rounding: of shifts to the right: down (`truncate`), toward zero, or to the nearest with halves up.
    overflow: what a sum too wide for the state does: the nearest end of the range, or modulo 2^bits.
    Source: ACE-SNN (soft reset, a leak and a threshold a layer); Q-SpiNN (fixed-point membranes).
    """

    leak: int = 1
    leak_shift: int = 0
    shift: int = 0
    threshold: int = 1
    fire: Fire = "gt"
    reset: Reset = "soft"
    rounding: Rounding = "truncate"
    overflow: Overflow = "saturate"
    name: ClassVar[str] = "integrate"
    operands: ClassVar[int | None] = 2

    @property
    def numbers(self) -> Integration:
        """Return the attributes with the width of the state."""
        return Integration(
            self.type_of(1).bits,
            self.leak,
            self.leak_shift,
            self.shift,
            self.threshold,
            self.fire,
            self.reset,
            self.rounding,
            self.overflow,
        )

    def infer(self) -> tuple[Type, ...]:
        n, state = self.type_of(0), self.type_of(1)
        self.need(n.is_integer, f"integrates integers, not {n}")
        self.need(state == Type("int", state.bits, n.shape), f"keeps signed integers of the shape of {n}, not {state}")
        self.need(0 <= self.leak_shift <= _WIDEST, f"shifts by 0 to {_WIDEST}, not {self.leak_shift}")
        leaks = 0 <= self.leak <= 1 << self.leak_shift
        self.need(leaks, f"leaks a factor in [0, 1], not {self.leak} of 2^{self.leak_shift}")
        self.need(1 <= self.threshold < 2**31, f"needs a positive threshold below 2^31, not {self.threshold}")
        self.need(_fits(self.leak * 2**state.bits, n, self.shift), "needs more than 62 bits on the way")
        return Type("spike", 1, n.shape), state

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        n, membrane = arrays
        fires, following = self.numbers.advance(n, membrane)
        return fires.astype(np.int64), following


@dataclass(frozen=True)
class CurrentNeuron(Spiking):
    """Loihi's neuron of two states, current u and voltage v, as Lava's bit-accurate model computes it.

    u = wrap(decay(current_leak * u) + n * 2^shift); v = saturate(decay(leak * v) + u + bias); it spikes where
    v > threshold, which sets v to 0. decay divides by 2^leak_shift and rounds toward zero; wrap leaves u in
    (-2^(bits-1), 2^(bits-1)], one more than two's complement has; saturate keeps v in +-(2^(bits-1) - 1)
    (`spqc.ir.fixed_point.Compartment`).

    Operands: n, integers [C, ...]; current, `int` of bits + 1; voltage, `int` of bits, both of n's shape; then, if any,
    bias, one integer of at most 32 bits a channel [C].
    Result: spikes of n's shape; the next current and the next voltage, of the types of the states.
    current_leak: numerator of the factor of the current, from 0 to 2^leak_shift.
    leak: numerator of the factor of the voltage, from 0 to 2^leak_shift.
    leak_shift: both factors are numerators of 2^leak_shift; 0 to 62.
    shift: n counts 2^shift units of the current.
    threshold: in units of the voltage, from 0 to 2^31 - 1.
    bits: the width of the voltage, 1 to 62.
    Source: Loihi, by the bit-accurate model of Lava (`lava/proc/lif/models.py`).
    """

    current_leak: int = 0
    leak: int = 2048
    leak_shift: int = 12
    shift: int = 6
    threshold: int = 64
    bits: int = 24
    memory: ClassVar[int] = 2
    name: ClassVar[str] = "current_neuron"

    @property
    def numbers(self) -> Compartment:
        """Return the attributes as the arithmetic that evaluates them."""
        return Compartment(self.current_leak, self.leak, self.leak_shift, self.shift, self.threshold, self.bits)

    def infer(self) -> tuple[Type, ...]:
        n, current, voltage = (self.type_of(i) for i in range(3))
        self.need(n.is_integer, f"integrates integers, not {n}")
        wanted = Type("int", self.bits + 1, n.shape), Type("int", self.bits, n.shape)
        self.need((current, voltage) == wanted, f"keeps {wanted[0]} and {wanted[1]}, not {current} and {voltage}")
        self.need(1 <= self.bits <= _WIDEST, f"keeps 1 to {_WIDEST} bits, not {self.bits}")
        self.need(0 <= self.leak_shift <= _WIDEST, f"shifts by 0 to {_WIDEST}, not {self.leak_shift}")
        leaks = 0 <= self.current_leak <= 1 << self.leak_shift and 0 <= self.leak <= 1 << self.leak_shift
        self.need(leaks, f"leaks factors in [0, 1], not {self.current_leak} and {self.leak} of 2^{self.leak_shift}")
        self.need(0 <= self.threshold < 2**31, f"needs a threshold in 0..2^31-1, not {self.threshold}")
        self.need(len(self.inputs) in (3, 4), "reads a sum, two states and perhaps a bias")
        if len(self.inputs) == 4:
            bias = self.type_of(3)
            fits = bias.is_integer and bias.shape == n.shape[:1] and bias.bits <= 32
            self.need(fits, f"adds one integer of at most 32 bits to each channel, not {bias}")
        self.need(_fits(2 ** (self.leak_shift + self.bits), n, self.shift), "needs more than 62 bits on the way")
        return Type("spike", 1, n.shape), current, voltage

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        n, current, voltage = arrays[:3]
        bias = per_channel(arrays[3], n) if len(arrays) == 4 else np.int64(0)
        fires, u, v = self.numbers.advance(n, current, voltage, bias)
        return fires.astype(np.int64), u, v


def _fits(product: int, n: Type, shift: int) -> bool:
    """Return whether a product and the shifted input stay within 62 bits."""
    return product.bit_length() <= _WIDEST and shift >= -_WIDEST and n.bits + max(shift, 0) <= _WIDEST
