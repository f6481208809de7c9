"""The leaky integrate-and-fire neuron with a quantised membrane: one step, once for training and evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spqc.ir.levels import midpoints

from . import surrogates
from .options import LOWEST_LEARNED_THRESHOLD, NeuronOptions
from .surrogates import Middles

_NEVER = 2.0**60


@dataclass(frozen=True)
class NeuronConstants:
    """The numbers that one layer's evaluation uses, each rounded to the layer's precision.

    All potentials count in `unit` (their real value): 1, or the weights' scale where the layer computes in integers.
    middles: (midpoint, whether a potential equal to it rises); theta: the spatial mask's constant or None;
    fraction_bits: F when every number is a multiple of 2^-F (exact mode), else None.
    """

    threshold: float
    leak: float
    levels: tuple[float, ...]
    middles: Middles
    theta: float | None
    fraction_bits: int | None
    unit: float = 1.0


@dataclass(frozen=True)
class StepRules:
    """What differs between training and evaluation: leak(m), fire(u), quantise(v), a soft reset's threshold."""

    leak: Callable[[Tensor], Tensor]
    fire: Callable[[Tensor], Tensor]
    quantise: Callable[[Tensor], Tensor]
    threshold: Tensor | float


class Neuron(nn.Module):
    """Holds the threshold of one layer; everything else is in the options."""

    def __init__(self, options: NeuronOptions) -> None:
        super().__init__()
        self.options = options
        self.potential_threshold = nn.Parameter(torch.tensor(options.threshold), requires_grad=options.learn_threshold)

    def threshold(self) -> Tensor:
        """Return the effective threshold (a float32 scalar)."""
        if self.options.learn_threshold and self.options.clamp_threshold:
            return self.potential_threshold.clamp(min=LOWEST_LEARNED_THRESHOLD)
        return self.potential_threshold

    def levels(self, scale: float = 1.0) -> tuple[float, ...]:
        """Return the stored levels, times the weights' scale; the top one scaled by the threshold if asked (A14)."""
        levels = tuple(level * scale for level in self.options.levels)
        if self.options.top_level == "one":
            return levels
        return (*levels[:-1], levels[-1] * float(self.threshold().detach()))

    def middles(self, scale: float = 1.0) -> Middles:
        """Return where the quantiser climbs from one level to the next: half-way, and before the squashing."""
        halfway = midpoints(self.levels(scale), self.options.ties)
        return tuple((_unsquashed(middle), rises) for middle, rises in halfway) if self._squashes else halfway

    @property
    def _squashes(self) -> bool:
        return self.options.squash == "tanh"

    def training_rules(self, scale: Tensor | None = None) -> StepRules:
        """Return the rules with surrogate gradients; `scale` is the weights' where levels count it."""
        strict, threshold = self.options.fire == "gt", self.threshold()
        quantise = _identity if self.options.membrane == "float" else self._training_quantiser(scale)
        gradient = surrogates.fire if self.options.surrogate == "triangle" else surrogates.fire_normalised
        return StepRules(
            leak=lambda state: self.options.leak * state,
            fire=lambda potential: gradient(potential, threshold, strict=strict),
            quantise=quantise,
            threshold=threshold,
        )

    def _training_quantiser(self, scale: Tensor | None) -> Callable[[Tensor], Tensor]:
        if scale is None:
            return _bind_quantise(self.levels(), self.middles())
        counts, middles = self.levels(), self.middles(float(scale.detach()))
        squash = torch.tanh if self._squashes else _identity
        return lambda potential: surrogates.count_levels(squash(potential), potential, scale, counts, middles)

    def evaluation_rules(self, constants: NeuronConstants) -> StepRules:
        """Return the rules of the reference semantics."""
        return StepRules(
            leak=_leak_rule(constants),
            fire=_fire_rule(constants.threshold, strict=self.options.fire == "gt"),
            quantise=_identity
            if self.options.membrane == "float"
            else lambda potential: surrogates.nearest_level(potential, constants.levels, constants.middles),
            threshold=constants.threshold,
        )

    def run(self, current: Tensor, keep: Tensor | None, rules: StepRules) -> tuple[Tensor, Tensor]:
        """Return spikes and states [N, T, ...] of x [N, T, ...], from state 0; keep is False where masked."""
        state = torch.zeros_like(current[:, 0])
        spikes, states = [], []
        for step in range(current.shape[1]):
            live = keep[:, step] if keep is not None and self.options.masked == "freeze" else None
            spike, state = advance(current[:, step], state, live, self.options, rules)
            spikes.append(spike)
            states.append(state)
        return torch.stack(spikes, dim=1), torch.stack(states, dim=1)


def advance(
    current: Tensor, state: Tensor, live: Tensor | None, options: NeuronOptions, rules: StepRules
) -> tuple[Tensor, Tensor]:
    """Return (spike, next state) of one step: THE definition of the neuron (semantics section 4, Eq 1, 2, 10, 19).

    x is the current after residual and masks, `live` is False where the masks leave a neuron out (masked='freeze').
    """
    if options.input_scale != 1.0:
        current = options.input_scale * current
    potential = (rules.leak(state) if options.leak_at == "read" else state) + current
    if options.order == "quantise_first":
        potential = rules.quantise(potential)
    spike = rules.fire(potential)
    if options.silence in ("spikes", "sticky"):
        spike = spike * (state >= 0)
    if live is not None:
        spike = spike * live
    rest = (1.0 - spike) * potential if options.reset == "hard" else potential - spike * rules.threshold
    stored = rules.quantise(rules.leak(rest) if options.leak_at == "write" else rest)
    if options.silence == "state":
        stored = stored.clamp(min=0.0)
    if options.silence == "sticky":
        stored = torch.where(state < 0, state, stored)
    return spike, stored if live is None else torch.where(live, stored, state)


def _identity(potential: Tensor) -> Tensor:
    return potential


def _unsquashed(middle: float) -> float:
    """Return the potential that tanh sends to a middle; one that no tanh reaches lies out of reach."""
    return math.atanh(middle) if abs(middle) < 1.0 else math.copysign(_NEVER, middle)


def _bind_quantise(levels: tuple[float, ...], middles: Middles) -> Callable[[Tensor], Tensor]:
    return lambda potential: surrogates.quantise(potential, levels, middles)


def _fire_rule(threshold: float, *, strict: bool) -> Callable[[Tensor], Tensor]:
    if strict:
        return lambda potential: (potential > threshold).to(potential.dtype)
    return lambda potential: (potential >= threshold).to(potential.dtype)


def _leak_rule(constants: NeuronConstants) -> Callable[[Tensor], Tensor]:
    """Return m -> leak * m, on the layer's binary lattice in exact mode."""
    if constants.fraction_bits is None:
        return lambda state: constants.leak * state
    lattice = 2.0**constants.fraction_bits
    return lambda state: torch.round(constants.leak * state * lattice) / lattice
