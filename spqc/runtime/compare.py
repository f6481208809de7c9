"""Exact comparison of what several runs of one network did: every spike, state, mask and logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from spqc.ir import Array
from spqc.plugins.frontend import Observation

from .observe import KEEP

KINDS = ("spike", "state", "mask", "logit")
_PLURAL = {"spike": "spikes", "state": "states", "mask": "masks", "logit": "logits"}


@dataclass(frozen=True)
class Mismatch:
    """The first place where two runs differ: earliest step, then earliest layer; `index` is inside the layer."""

    layer: str
    step: int
    kind: str
    sample: int
    index: tuple[int, ...]
    between: tuple[str, str]
    values: tuple[float, float]

    def __str__(self) -> str:
        place = f"layer {self.layer}, step {self.step}, sample {self.sample}, index {list(self.index)}"
        left, right = self.between
        return f"{self.kind} of {place}: {left} has {self.values[0]:g}, {right} has {self.values[1]:g}"


@dataclass
class Tally:
    """Counts of compared and differing elements; `add` compares two arrays [N, T, ...]."""

    order: Sequence[str]
    compared: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    mismatched: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    first: Mismatch | None = None

    def add(self, kind: str, layer: str, runs: Mapping[str, Array | None], first_sample: int = 0) -> None:
        """Compare every run with the first one; an element counts once, however many runs there are."""
        (base_name, base), *others = runs.items()
        if base is None:
            raise ValueError(f"{base_name} has no {kind} of '{layer}'")
        differs = np.zeros(base.shape, bool)
        for name, array in others:
            wrong = _differs(base, array)
            differs |= wrong
            if wrong.any():
                self._remember(kind, layer, (base_name, name), base, array, wrong, first_sample)
        self.compared[kind] += base.size
        self.mismatched[kind] += int(differs.sum())

    def _remember(
        self,
        kind: str,
        layer: str,
        between: tuple[str, str],
        base: Array,
        array: Array | None,
        wrong: Array,
        first_sample: int,
    ) -> None:
        step = int(wrong.any(axis=(0, *range(2, wrong.ndim))).argmax())
        if self.first is not None and self._rank(self.first.step, self.first.layer) <= self._rank(step, layer):
            return
        sample, *index = (int(i) for i in np.argwhere(wrong[:, step])[0])
        place = (sample, step, *index)
        other = float(array[place]) if array is not None and array.shape == base.shape else float("nan")
        values = (float(base[place]), other)
        self.first = Mismatch(layer, step, kind, sample + first_sample, tuple(index), between, values)

    def _rank(self, step: int, layer: str) -> tuple[int, int]:
        base = layer.removesuffix(KEEP)
        return step, self.order.index(base) if base in self.order else len(self.order)

    def named(self) -> dict[str, int]:
        """Return the counts under the names of a report: compared_spikes, mismatched_spikes, ..."""
        counts = {f"compared_{_PLURAL[kind]}": n for kind, n in self.compared.items()}
        return counts | {f"mismatched_{_PLURAL[kind]}": n for kind, n in self.mismatched.items()}


def compare(tally: Tally, runs: Mapping[str, Observation], first_sample: int = 0) -> None:
    """Compare the spikes, states and masks of several runs; a layer that a run lacks counts as wholly different.

    A spatial mask is compared between the runs that have one: a compiled network has folded it into its thresholds.
    """
    base = next(iter(runs.values()))
    for layer in base.spikes:
        tally.add("spike", layer, {name: run.spikes.get(layer) for name, run in runs.items()}, first_sample)
        tally.add("state", layer, {name: run.states.get(layer) for name, run in runs.items()}, first_sample)
    for layer in base.gates:
        having = {name: run.gates.get(layer) for name, run in runs.items()}
        if layer.endswith(KEEP):
            having = {name: gate for name, gate in having.items() if gate is not None}
        if len(having) > 1:
            tally.add("mask", layer, having, first_sample)


def _differs(base: Array, array: Array | None) -> Array:
    if array is None or array.shape != base.shape:
        return np.ones(base.shape, bool)
    if base.dtype.kind == "f" or array.dtype.kind == "f":
        return np.asarray(base.astype(np.float64) != array.astype(np.float64))
    return np.asarray(base.astype(np.int64) != array.astype(np.int64))
