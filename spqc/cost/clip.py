"""Who fires late although its first potential is far below zero: the clip bound of SpQuant-SNN Eq 5 and 6."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spqc.ir import Array
from spqc.ir.ops import Neuron


@dataclass(frozen=True)
class Clip:
    """The silent set of Eq 5: neurons that do not fire at step 1 and whose potential is then below `bound`.

    silent: their share of all neurons. late_rate: r_s of Eq 6, the mean over the steps 2..T of the share of them that
    fire. wake: the share of them that fire at least once. lowest: the least potential at step 1. None: no such neuron.
    """

    bound: float
    lowest: float | None
    silent: float
    late_rate: float | None
    wake: float | None


class ClipTally:
    """Watches one neuron operator: its charge and spikes at the first step (states are 0 there), then its spikes."""

    def __init__(self, bound: float, neuron: Neuron) -> None:
        self.bound, self.neuron = bound, neuron
        self.lowest: float | None = None
        self.neurons = self.silent = self.late = self.woken = self.steps = 0
        self.below: Array | None = None
        self.quiet: Array | None = None
        self.fired: Array | None = None

    def see(self, step: int, name: str, array: Array) -> None:
        """Count a value [N, ...] of a step, 0 the first: the neuron's charge and spikes; others are ignored."""
        if step == 0 and name == self.neuron.inputs[0].name:
            potential = array * self.neuron.input_scale * self.neuron.type_of(0).scale
            self.below = potential < self.bound
            self.lowest = float(min(potential.min(), np.inf if self.lowest is None else self.lowest))
        elif name == self.neuron.out.name and step == 0 and self.below is not None:
            self.quiet = self.below & (array == 0)
            self.neurons += array.size
            self.silent += int(np.count_nonzero(self.quiet))
            self.fired = np.zeros_like(self.quiet)
        elif name == self.neuron.out.name and self.quiet is not None and self.fired is not None:
            awake = self.quiet & (array != 0)
            self.late += int(np.count_nonzero(awake))
            self.fired |= awake
            self.steps = max(self.steps, step)

    def end_window(self) -> None:
        """Count the silent neurons that fired at least once since step 0, and forget the window."""
        if self.fired is not None:
            self.woken += int(np.count_nonzero(self.fired))
        self.below = self.quiet = self.fired = None

    def result(self) -> Clip | None:
        """Return the silent set of all windows; None where no step was seen."""
        if not self.neurons:
            return None
        enough = self.silent and self.steps
        return Clip(
            self.bound,
            self.lowest,
            self.silent / self.neurons,
            self.late / (self.silent * self.steps) if enough else None,
            self.woken / self.silent if enough else None,
        )
