"""Lists of spikes: which sample, which neuron, when; and the class of each sample.

.npz: arrays `sample`, `neuron` (integers) and `time` (numbers), [events], and `label` (integers) [samples].
.csv: a table with the header `sample,neuron,time`, and a second one with the header `sample,label`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from ..dataset import Labels
from .npz import read_npz


@dataclass(frozen=True)
class SpikeLists:
    """Spikes in order of samples: sample, neuron int64 [events], time float64 [events], and labels int64 [samples]."""

    sample: npt.NDArray[np.int64]
    neuron: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    labels: Labels

    def spikes(self, sample: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return neurons and times of one sample."""
        part = slice(*np.searchsorted(self.sample, (sample, sample + 1)))
        return self.neuron[part], self.time[part]


def read_npz_lists(path: Path, hint: str = "") -> SpikeLists:
    """Return the lists of an .npz file; InputError where they are damaged."""
    columns = read_npz(path, ("sample", "neuron", "time", "label"), hint=hint)
    for name in ("sample", "neuron", "label"):
        if columns[name].dtype.kind not in "iu":
            raise InputError(f"'{name}' must hold integers, not {columns[name].dtype}", str(path), hint)
    if columns["time"].dtype.kind not in "iuf":
        raise InputError(f"'time' must hold numbers, not {columns['time'].dtype}", str(path), hint)
    return _checked(columns["sample"], columns["neuron"], columns["time"], columns["label"], path, hint)


def read_csv(path: Path, labels: Path, hint: str = "") -> SpikeLists:
    """Return the lists of a table of spikes and one of labels; InputError names the line that cannot be read."""
    spikes = _table(path, ("sample", "neuron", "time"), hint)
    classes = _table(labels, ("sample", "label"), hint)
    samples = np.array([int(row[0]) for row in classes], np.int64)
    if sorted(samples) != list(range(len(samples))):
        raise InputError("the samples must be numbered 0, 1, 2 ..., each once", str(labels), hint)
    ordered = np.zeros(len(samples), np.int64)
    ordered[samples] = [int(row[1]) for row in classes]
    columns = [np.array([row[index] for row in spikes]) for index in range(3)] if spikes else [np.zeros(0)] * 3
    return _checked(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], ordered, path, hint)


def _table(path: Path, names: tuple[str, ...], hint: str) -> list[tuple[float, ...]]:
    """Return the rows of numbers below a header; all columns but `time` are whole."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"this is not a readable table: {error}", str(path), hint) from None
    if not rows or tuple(rows[0]) != names:
        raise InputError(f"the first line must be {','.join(names)}", str(path), hint)
    return [_row(row, names, f"{path}:{line}", hint) for line, row in enumerate(rows[1:], start=2)]


def _row(row: list[str], names: tuple[str, ...], where: str, hint: str) -> tuple[float, ...]:
    try:
        return tuple(float(text) if name == "time" else int(text) for name, text in zip(names, row, strict=True))
    except ValueError:
        raise InputError(f"this line is not {','.join(names)}", where, hint) from None


def _checked(
    sample: npt.NDArray[Any], neuron: npt.NDArray[Any], time: npt.NDArray[Any], labels: npt.NDArray[Any],
    path: Path, hint: str,
) -> SpikeLists:  # fmt: skip
    if not sample.shape == neuron.shape == time.shape or sample.ndim != 1 or labels.ndim != 1:
        raise InputError("sample, neuron and time must be lists of one length, label a list", str(path), hint)
    if not len(labels):
        raise InputError("there is no sample", str(path), hint)
    if ((sample < 0) | (sample >= len(labels))).any():
        raise InputError(f"a spike is of a sample beyond 0..{len(labels) - 1}", str(path), hint)
    if (neuron < 0).any():
        raise InputError("a spike is of a negative neuron", str(path), hint)
    if not (np.isfinite(time) & (time >= 0)).all():
        raise InputError("a spike has a time below 0, or none", str(path), hint)
    order = np.argsort(sample, kind="stable")
    columns = sample.astype(np.int64)[order], neuron.astype(np.int64)[order], time.astype(np.float64)[order]
    return SpikeLists(*columns, labels.astype(np.int64))
