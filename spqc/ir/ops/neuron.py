"""The spiking neuron in the words of the papers: leak, charge, fire, reset, quantise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..levels import Ties, is_power_of_two, midpoints
from ..types import Array, Type, state_type
from .spiking import Spiking


@dataclass(frozen=True)
class Neuron(Spiking):
    """Leaky integrate and fire with a quantised membrane (SpQuant-SNN Eq 1, 2, 7, 10); results: spikes and next state.

    The state is the code of a level m: its index among `levels`, less the index of the level 0. Charge: u = leak*m +
    input_scale*x. Fire: s = [u >= threshold]. Reset: v = (1 - s) u. Quantise: the next m is the level nearest to v. The
    attributes choose the variants; all numbers are rounded to the type of x, operation by operation.

    Operands: x, `float` or `fixed` [C, ...]; state, codes of x's shape.
    Result: spikes of x's shape; the next state, of the type of the state.
    levels: what a membrane may be stored as, ascending, 0 among them.
    leak: the factor of the stored level in the next charge.
    threshold: the potential that fires.
    fire: whether the threshold itself fires (`ge`) or not (`gt`).
    order: whether the reset comes before the quantiser (m = Q((1 - s) u)), or the quantiser before firing (s of Q(u)).
    leak_at: whether the leak multiplies the level that is read, or the potential before it is stored.
    reset: whether a spike clears the potential (`hard`) or subtracts the threshold (`soft`).
    ties: the level of a potential half-way between two: the lower, the higher, the even multiple of their distance, or
    the farther from 0.
    silence: `state` stores max(m, 0); `spikes` lets a neuron of negative level not fire; `sticky` also keeps its level.
    input_scale: the factor of x, a power of two.
    middles: the potentials between neighbouring levels, where they are not half-way (a membrane that is squashed first,
    constants that were rounded).
    Source: SpQuant-SNN Eq 1 (charge), 2 (fire), 7 (levels) and 10 (quantised update); MINT with `middles`.
    """

    levels: tuple[float, ...] = (-1.0, 0.0, 1.0)
    leak: float = 0.5
    threshold: float = 1.0
    fire: Literal["ge", "gt"] = "ge"
    order: Literal["reset_first", "quantise_first"] = "reset_first"
    leak_at: Literal["read", "write"] = "read"
    reset: Literal["hard", "soft"] = "hard"
    ties: Ties = "down"
    silence: Literal["none", "state", "spikes", "sticky"] = "none"
    input_scale: float = 1.0
    middles: tuple[float, ...] = ()
    name: ClassVar[str] = "neuron"
    operands: ClassVar[int | None] = 2

    @property
    def low(self) -> int:
        """The smallest level code."""
        return 0 if self.silence == "state" else -self.levels.index(0.0)

    @property
    def high(self) -> int:
        """The largest level code."""
        return len(self.levels) - 1 - self.levels.index(0.0)

    @property
    def quantiser(self) -> tuple[tuple[float, bool], ...]:
        """For each pair of neighbouring levels: the potential between them, and whether one equal to it rises."""
        halfway = midpoints(self.levels, self.ties)
        middles = self.middles or tuple(middle for middle, _ in halfway)
        return tuple((middle, rises) for middle, (_, rises) in zip(middles, halfway, strict=True))

    def infer(self) -> tuple[Type, ...]:
        x, state = self.type_of(0), self.type_of(1)
        self.need(x.encoding in ("float", "fixed"), f"charges real values, not {x}")
        self.need(0.0 in self.levels, f"needs the level 0 among its levels, not {self.levels}")
        self.need(
            len(self.middles) in (0, len(self.levels) - 1) and list(self.middles) == sorted(self.middles),
            f"needs one middle between two levels, ascending, not {self.middles}",
        )
        self.need(is_power_of_two(self.input_scale), f"scales its input by a power of two, not {self.input_scale}")
        wanted = state_type(self.low, self.high, x.shape)
        self.need(state == wanted, f"keeps {wanted}, not {state}")
        return Type("spike", 1, x.shape), state

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        x, code = arrays
        u = self.carried(x)[code + self.levels.index(0.0)] + self._scaled(x)
        if self.order == "quantise_first":
            u = self._in_units(self.levels, x)[self._index(u)]
        threshold = self._in_units([self.threshold], x)[0]
        fired = u >= threshold if self.fire == "ge" else u > threshold
        if self.silence in ("spikes", "sticky"):
            fired &= code >= 0
        after = np.where(fired, u - threshold if self.reset == "soft" else u.dtype.type(0), u)
        if self.leak_at == "write":
            self.need(self.type_of(0).encoding == "float", "leaks on write in float only")
            after = after * x.dtype.type(self.leak)
        following = self._index(after) - self.levels.index(0.0)
        if self.silence == "state":
            following = np.maximum(following, 0)
        if self.silence == "sticky":
            following = np.where(code < 0, code, following)
        return fired.astype(np.int64), following

    def _scaled(self, x: Array) -> Array:
        """Return the charge after the input scale; a power of two, which rounds nothing."""
        if self.input_scale == 1.0:
            return x
        if self.type_of(0).encoding == "float":
            return np.asarray(x * x.dtype.type(self.input_scale))
        scaled = x.astype(np.float64) * self.input_scale
        self.need(bool((scaled == np.floor(scaled)).all()), f"scales its input off the lattice of {self.type_of(0)}")
        return np.asarray(scaled.astype(x.dtype))

    def carried(self, x: Array) -> Array:
        """Return what each level brings into the next charge, in the units and the dtype of a charge x."""
        if self.leak_at == "write":
            return self._in_units(self.levels, x)
        if self.type_of(0).encoding == "fixed":
            return self._in_units([self.leak * level for level in self.levels], x)
        return np.asarray(self._in_units(self.levels, x) * x.dtype.type(self.leak))

    def _in_units(self, values: tuple[float, ...] | list[float], x: Array) -> Array:
        """Return real values in the units of the charge: rounded to its float type, or exact multiples of its scale."""
        scaled = np.asarray(values, np.float64) / self.type_of(0).scale
        if self.type_of(0).encoding == "fixed":
            self.need(bool((scaled == np.floor(scaled)).all()), f"has constants off the lattice of {self.type_of(0)}")
        return scaled.astype(x.dtype)

    def _index(self, u: Array) -> Array:
        """Return the index of the level that each potential is stored as."""
        passed = np.zeros(u.shape, np.int64)
        for middle, rises in self.quantiser:
            limit = self._in_units([middle], u)[0]
            passed += u >= limit if rises else u > limit
        return passed
