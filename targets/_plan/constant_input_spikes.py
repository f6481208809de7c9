"""Spikes of neurons whose input does not change: all steps decided by one number. Only numpy.

Such a neuron's states follow from its sum n alone, and its spikes change only where n passes one of the automaton's
thresholds, less what a state carries. So its spikes are those below all of these places, with the flips of every place
that n has passed: as many comparisons as places, whatever the number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spqc.ir.ops import Automaton

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SpikesByPlace:
    """Spikes of all steps, a bit for each: `first`[channel] below all places, `flips`[channel, k] from `places` on.

    A channel with fewer places than another ends in flips of nothing.
    """

    first: Integers
    places: Integers
    flips: Integers

    @property
    def count(self) -> int:
        """Places of a channel."""
        return int(self.places.shape[1])

    def vectors(self, lanes: int) -> Integers:
        """Return [tile of channels][first, then place and flips by turns][lane] of 32-bit numbers."""
        limits = np.iinfo(np.int32)
        pairs = np.stack([np.clip(self.places, limits.min, limits.max), self.flips], axis=-1)
        rows = np.concatenate([self.first[:, None], pairs.reshape(len(pairs), -1)], axis=1)
        whole = np.pad(rows, ((0, -len(rows) % lanes), (0, 0)))
        return whole.reshape(-1, lanes, rows.shape[1]).transpose(0, 2, 1)


def find_spikes(op: Automaton, theta: Integers, channels: int, steps: int) -> SpikesByPlace:
    """Return the spikes of an automaton that reads nothing but its sum, from its thresholds RxKxC (C 1: all channels').

    The operator itself is run below, at and between all places, so that it stays the one definition of a neuron.
    """
    carried = np.array(op.carry or (0,))[:, None, None, None]
    passed = np.broadcast_to(theta - carried, (len(carried), *theta.shape[:2], channels)).reshape(-1, channels)
    passed = np.sort(passed, axis=0)
    n = np.concatenate([passed[:1] - 1, passed])
    code, words = np.zeros_like(n), np.zeros_like(n)
    for step in range(steps):
        spikes, code = op.evaluate(n, code, theta)
        words |= spikes << step
    flips = words[1:] ^ words[:-1]
    order = np.argsort(flips == 0, axis=0, kind="stable")[: (flips != 0).sum(axis=0).max()]
    places, flips = (np.take_along_axis(rows, order, 0).T for rows in (passed, flips))
    return SpikesByPlace(words[0], places, flips)
