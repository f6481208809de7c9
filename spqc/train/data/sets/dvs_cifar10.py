"""CIFAR10-DVS: CIFAR-10 images moved before a DVS128 camera (Li et al., 2017)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spqc.foundation.errors import InputError

from .. import splits
from ..dataset import DataSet
from ..events import Events, FrameOptions
from ..files import class_folders, folder_below
from ..formats import aedat, npz
from ..known import Known, Request, require
from ..recordings import recordings

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_TESTED_NUMBERS = 100


@dataclass(frozen=True)
class Options(FrameOptions):
    """train: the share to train on, drawn with `seed`; numbered: test on the files numbered 0 to 99 of each class.

    The split by number is that of several published results; it is easier than a random one, so never mix the two.
    """

    height: int = 48
    width: int = 48
    train: float = 0.9
    seed: int = 0
    numbered: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require("train", self.train, 0, 1)
        require("seed", self.seed, 0)


def read(path: Path, hint: str, late: int = 0) -> Events:
    """Return the events of an .aedat file, or of an .npz file with t, x, y (upright) and p."""
    return (npz.read_events if path.suffix.lower() == ".npz" else aedat.read)(path, hint, late)


def _number(path: Path, request: Request) -> int:
    match = re.search(r"(\d+)$", path.stem)
    if match is None:
        raise InputError("the name has no number at its end, as in cifar10_cat_17", str(path), request.get_it)
    return int(match[1])


def _open(request: Request, options: Options) -> DataSet:
    folder = folder_below(request, "events_np", "extract", ".")
    paths, labels, names = class_folders(request, folder, (".aedat", ".npz"), CLASSES)
    if options.numbered:
        tested = np.array([_number(path, request) < _TESTED_NUMBERS for path in paths])
        parts = np.flatnonzero(~tested), np.flatnonzero(tested)
    else:
        parts = splits.stratified(labels, options.train, options.seed)
    part = parts[request.known.splits.index(request.split)]
    chosen = [paths[index] for index in part]
    return recordings(request, chosen, labels[part], names, options, aedat.SENSOR, read)


DATA_SETS = {
    "dvs-cifar10": Known(
        "CIFAR-10 seen by an event camera, 128x128, 10 classes",
        _open,
        Options,
        "one folder a class (airplane ... truck) of .aedat files, or of .npz files with t, x, y, p",
        "CIFAR10-DVS (Li et al., 2017), on figshare",
    )
}
