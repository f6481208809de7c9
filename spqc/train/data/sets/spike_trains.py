"""Spike trains of many neurons, as lists of events: neuron and time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spqc.foundation.errors import InputError, UsageError

from ..dataset import Codes, DataSet
from ..files import MOST_CLASSES, numbered
from ..formats.spike_lists import SpikeLists, read_csv, read_npz_lists
from ..known import Known, Request, require

_MOST_NEURONS = 10_000_000


@dataclass(frozen=True)
class Options:
    """A sample lasts `duration` (in the unit of the file; 0: up to the last spike of the split) and has `steps` steps.

    length: bins within a step: codes [T, neurons, length]; 0: one bin, codes [T, neurons].
    neurons: how many there are; 0: up to the greatest index of the split. Give both where splits must agree.
    clip: the greatest count of a bin; 1 gives spikes. classes: how many there are; 0: up to the greatest of the split.
    labels_from: the number of the first class.
    """

    steps: int = 10
    length: int = 0
    neurons: int = 0
    duration: float = 0.0
    clip: int = 1
    classes: int = 0
    labels_from: int = 0

    def __post_init__(self) -> None:
        require("steps", self.steps, 1, 10_000)
        require("length", self.length, 0, 1_000_000)
        require("neurons", self.neurons, 0, _MOST_NEURONS)
        require("duration", self.duration, 0)
        require("clip", self.clip, 1, 255)
        require("classes", self.classes, 0, MOST_CLASSES)


def binned(lists: SpikeLists, sample: int, options: Options) -> Codes:
    """Return clipped counts [T, neurons, length], or [T, neurons] without a length; later spikes are left out."""
    neuron, time = lists.spikes(sample)
    bins = options.steps * max(options.length, 1)
    kept = time < options.duration
    place = np.minimum(np.floor(time * bins / options.duration).astype(np.int64), bins - 1)
    counts = np.bincount(neuron[kept] * bins + place[kept], minlength=options.neurons * bins)
    codes = np.minimum(counts, options.clip).astype(np.uint8).reshape(options.neurons, options.steps, -1)
    moved = np.ascontiguousarray(codes.transpose(1, 0, 2))
    return moved if options.length else moved[..., 0]


def _open(request: Request, options: Options) -> DataSet:
    folder = request.folder()
    packed, table = folder / f"{request.split}.npz", folder / f"{request.split}.csv"
    if table.exists() and not packed.exists():
        lists, place = read_csv(table, folder / f"{request.split}-labels.csv", request.get_it), table
    else:
        lists, place = read_npz_lists(packed, request.get_it), packed
    options = _measured(lists, options)
    if len(lists.neuron) and lists.neuron.max() >= options.neurons:
        raise InputError(f"a spike is of neuron {lists.neuron.max()}, of {options.neurons}", str(place), request.get_it)
    labels, class_names = numbered(lists.labels, options.classes, place, options.labels_from)
    return DataSet(
        name=request.name,
        split=request.split,
        description=f"spike trains, {request.split} samples",
        shape=(options.neurons, options.length) if options.length else (options.neurons,),
        steps=options.steps,
        class_names=class_names,
        encoding="spikes" if options.clip == 1 else "digits" if options.clip <= 16 else "pixels",
        labels=labels,
        read=lambda index: binned(lists, index, options),
    )


def _measured(lists: SpikeLists, options: Options) -> Options:
    """Return the options with the number of neurons and the duration filled in."""
    if not len(lists.neuron) and not (options.neurons and options.duration):
        raise UsageError("there is no spike to measure by", hint="give neurons and duration")
    neurons = options.neurons or int(lists.neuron.max()) + 1
    require("neurons", neurons, 1, _MOST_NEURONS)
    duration = options.duration or float(np.nextafter(lists.time.max(), np.inf))
    return replace(options, neurons=neurons, duration=duration)


DATA_SETS = {
    "spike-trains": Known(
        "your own spike trains as lists of events, 1-D",
        _open,
        Options,
        "train.npz and test.npz with sample, neuron, time, label; or .csv tables",
        "your own recordings",
    )
}
