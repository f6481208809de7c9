"""Integer arithmetic of fixed-point membranes: shifts that round, sums that wrap or saturate, and what they can reach.

Everything works alike on 64-bit numpy arrays and torch tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Rounding = Literal["truncate", "zero", "nearest"]
Overflow = Literal["saturate", "wrap"]
Fire = Literal["gt", "ge"]
Reset = Literal["soft", "hard", "none"]

_PATIENCE = 1 << 14


def shifted(x: Any, places: int, rounding: Rounding) -> Any:
    """Return x * 2^places as integers; negative `places` round down (truncate), toward zero, or half up."""
    if places >= 0:
        return x << places
    if rounding == "nearest":
        return (x + (1 << (-places - 1))) >> -places
    if rounding == "zero":
        return (x + ((x >> 63) & ((1 << -places) - 1))) >> -places
    return x >> -places


def fitted(x: Any, bits: int, overflow: Overflow) -> Any:
    """Return x in the range of a signed integer of `bits`: modulo 2^bits, or the nearest end."""
    half = 1 << (bits - 1)
    if overflow == "wrap":
        return ((x + half) & (2 * half - 1)) - half
    return x.clip(-half, half - 1)


@dataclass(frozen=True)
class Integration:
    """One step of an integer membrane U with input n, and what it emits.

    u = fit(shift(leak * U, -leak_shift) + shift(n, shift)); it fires where u > threshold (`gt`) or u >= threshold;
    then U = fit(u - threshold) (`soft`), 0 (`hard`) or u. `fit` wraps or saturates at `bits`, `shift` rounds.
    """

    bits: int
    leak: int = 1
    leak_shift: int = 0
    shift: int = 0
    threshold: int = 1
    fire: Fire = "gt"
    reset: Reset = "soft"
    rounding: Rounding = "truncate"
    overflow: Overflow = "saturate"

    def charged(self, n: Any, membrane: Any) -> Any:
        """Return u, in units of the membrane, before it is wrapped or saturated at `bits`."""
        kept = shifted(membrane * self.leak, -self.leak_shift, self.rounding)
        return kept + shifted(n, self.shift, self.rounding)

    def advance(self, n: Any, membrane: Any) -> tuple[Any, Any]:
        """Return (whether each neuron fires, the next membrane) for integer arrays or tensors."""
        u = fitted(self.charged(n, membrane), self.bits, self.overflow)
        fires = u > self.threshold if self.fire == "gt" else u >= self.threshold
        if self.reset == "soft":
            return fires, fitted(u - fires * self.threshold, self.bits, self.overflow)
        return fires, u * ~fires if self.reset == "hard" else u

    def reach(self, low: int, high: int, steps: int | None = None) -> tuple[int, int] | None:
        """Return bounds of u and U, never fitted, when n stays in [low, high], from U = 0; with 0 among them.

        Over `steps` steps, or over all time; None where no bound over all time is found (a leak of 1). By induction:
        charging is monotone in U and n, so an interval's ends bound what it becomes, and a silent neuron stays at or
        below the threshold.
        """
        reached, widest = (0, 0), (0, 0)
        for _ in range(_PATIENCE if steps is None else steps):
            u = self.charged(low, reached[0]), self.charged(high, reached[1])
            following = self._after(*u)
            widest = min(widest[0], *u, following[0]), max(widest[1], *u, following[1])
            grown = min(reached[0], following[0]), max(reached[1], following[1])
            if grown == reached:
                return widest
            reached = grown
        return None if steps is None else widest

    def _after(self, low: int, high: int) -> tuple[int, int]:
        """Return the least and greatest next membrane after the firing and the reset of a u in [low, high]."""
        if self.reset == "none":
            return low, high
        silent = min(high, self.threshold if self.fire == "gt" else self.threshold - 1)
        if silent == high:
            return low, high
        fired = high - self.threshold if self.reset == "soft" else 0
        return min(low, 0), max(silent, fired)


@dataclass(frozen=True)
class Compartment:
    """One step of Loihi's neuron of two states, current u and voltage v, as Lava's bit-accurate model computes it.

    u = wrap(decay(current_leak * u) + n * 2^shift), v = saturate(decay(leak * v) + u + bias), where decay drops
    `leak_shift` bits toward zero; it fires where v > threshold, which sets v to 0. The wrap leaves u in
    (-2^(bits-1), 2^(bits-1)], one more than two's complement has; saturation keeps v in +-(2^(bits-1) - 1).
    """

    current_leak: int = 0
    leak: int = 2048
    leak_shift: int = 12
    shift: int = 6
    threshold: int = 64
    bits: int = 24

    @property
    def greatest(self) -> int:
        """Return the largest current u, 2^(bits-1): one more than two's complement has."""
        return 1 << (self.bits - 1)

    def advance(self, n: Any, current: Any, voltage: Any, bias: Any) -> tuple[Any, Any, Any]:
        """Return (whether each neuron fires, the next current, the next voltage) for integer arrays or tensors."""
        u = shifted(current * self.current_leak, -self.leak_shift, "zero") + (n << self.shift)
        u = -fitted(-u, self.bits, "wrap")
        v = shifted(voltage * self.leak, -self.leak_shift, "zero") + u + bias
        v = v.clip(1 - self.greatest, self.greatest - 1)
        fires = v > self.threshold
        return fires, u, v * ~fires


def bits_for(low: int, high: int) -> int:
    """Return the width of the narrowest signed integer that holds [low, high]."""
    return int(max(-low - 1, high)).bit_length() + 1
