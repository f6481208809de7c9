"""Data sets that ship in one piece, divided into samples to train on and to test on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .dataset import Labels

Indices = npt.NDArray[np.int64]


def stratified(labels: Labels, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Return indices to train on and to test on, sorted: of every class the given share, rounded to nearest.

    A class of two members or more has at least one on each side; a single member is trained on.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(round(fraction * len(members)), 1), max(len(members) - 1, 1))
        chosen[rng.permutation(members)[:count]] = True
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)
