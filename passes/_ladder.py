"""The outcomes of a neuron in the order in which a rising potential meets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spqc.ir import Array
from spqc.ir.ops import Neuron


@dataclass(frozen=True)
class Ladder:
    """Outcomes by rising membrane potential: silent states, then firing ones."""

    neuron: Neuron

    @property
    def codes(self) -> tuple[int, ...]:
        """The codes of the stored levels, lowest first; 0 is the level 0."""
        return tuple(range(self.neuron.low, self.neuron.high + 1))

    @property
    def outcomes(self) -> tuple[tuple[int, int], ...]:
        """The outcomes (spike, next state code), lowest first."""
        hard = self.neuron.reset == "hard"
        return tuple((0, code) for code in self.codes) + tuple((1, code) for code in ((0,) if hard else self.codes))

    @property
    def following(self) -> tuple[int, ...]:
        """The next state code of each outcome, in the order of `outcomes`."""
        return tuple(code for _, code in self.outcomes)

    def rank(self, spike: Array, following: Array) -> Array:
        """Return the index in `outcomes` of each spike (0 or 1) and next state code; -1 where there is none."""
        rank = {outcome: index for index, outcome in enumerate(self.outcomes)}
        lookup = np.array([[rank.get((s, c), -1) for c in self.codes] for s in (0, 1)])
        return np.asarray(lookup[spike, following - self.neuron.low])


def bisect(first: Array, last: Array, passes: Callable[[Array], Array]) -> Array:
    """Return the smallest integers from `first` on that pass; `last`, which is never asked, where none does.

    Whatever passes must pass at every greater integer too; one evaluation moves every search forward.
    """
    while (active := first < last).any():
        middle = (first + last) // 2
        passed = passes(middle)
        last = np.where(active & passed, middle, last)
        first = np.where(active & ~passed, middle + 1, first)
    return last
