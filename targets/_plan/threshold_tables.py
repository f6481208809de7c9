"""Thresholds as tables to permute: what a neuron must reach, by the outcome of the step before. Only numpy.

An entry stands for one outcome of the automaton with one identity, `outcome * identities + identity`; it holds the
threshold of the row that the outcome's state and the identity choose. So a vector of outcomes is its own state: a
permute finds each lane's threshold, and the comparison gives the next outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.ir.ops import Automaton

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Entries:
    """The entries of one automaton: the row of each, what its state adds to the sum, and what a closed gate leaves.

    `closed` is the outcome behind a closed gate, -1 where there is no gate.
    """

    rows: tuple[int, ...]
    carry: tuple[int, ...]
    closed: tuple[int, ...]

    @classmethod
    def of(cls, op: Automaton) -> Entries:
        states = [code - op.low for code in op.following for _ in range(op.identities)]
        identities = [i for _ in op.following for i in range(op.identities)]
        return cls(
            tuple(0 if op.carry else s * op.identities + i for s, i in zip(states, identities, strict=True)),
            tuple(op.carry[s] if op.carry else 0 for s in states),
            tuple(op.rest[s] if op.rest else -1 for s in states),
        )

    @property
    def gated(self) -> bool:
        return self.closed[0] >= 0


def threshold_vectors(entries: Entries, theta: Integers, shape: tuple[int, int, int], dtype: str) -> npt.NDArray[Any]:
    """Return [vector of channels][open, closed][threshold][64 bytes] from thresholds RxKxC (C 1: for all channels).

    shape: channels, these padded to whole tiles, and channels of a vector, which has the entries of each in its own
    share. Thresholds beyond the type are its extremes: no sum reaches the greatest, every sum the least. Without a gate
    there is no `closed`.
    """
    channels, padded, channels_per_vector = shape
    steps = theta.shape[1]
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    wide = np.broadcast_to(theta, (*theta.shape[:2], channels)) if theta.shape[2] == 1 < channels else theta
    tables = [wide[list(entries.rows)] - np.array(entries.carry)[:, None, None]]  # entry, threshold, channel
    if entries.gated:
        reached = np.array(entries.closed)[:, None] > np.arange(steps)
        tables.append(np.broadcast_to(np.where(reached, low, high)[..., None], tables[0].shape))
    every = np.clip(np.stack(tables), low, high).transpose(3, 0, 2, 1)  # channel, part, threshold, entry
    count = 64 // np.dtype(dtype).itemsize // channels_per_vector
    spread = [(0, padded - channels), (0, 0), (0, 0), (0, count - every.shape[3])]
    shares = np.pad(every, spread, constant_values=high)
    vectors = shares.reshape(-1, channels_per_vector, *shares.shape[1:]).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(vectors).reshape(*vectors.shape[:3], -1).astype(dtype)
