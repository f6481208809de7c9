"""N-Caltech101: Caltech101 seen by a moving camera (Orchard et al., 2015)."""

from __future__ import annotations

from dataclasses import dataclass

from .. import splits
from ..dataset import DataSet
from ..events import FrameOptions
from ..files import class_folders, folder_below
from ..formats import saccades
from ..known import Known, Request, require
from ..recordings import recordings

SENSOR = (180, 240)


@dataclass(frozen=True)
class Options(FrameOptions):
    """train: the share of each class to train on, drawn with `seed`."""

    height: int = 48
    width: int = 64
    train: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require("train", self.train, 0, 1)
        require("seed", self.seed, 0)


def _open(request: Request, options: Options) -> DataSet:
    paths, labels, names = class_folders(request, folder_below(request, "Caltech101", "."), (".bin",))
    part = splits.stratified(labels, options.train, options.seed)[request.known.splits.index(request.split)]
    chosen = [paths[index] for index in part]
    return recordings(request, chosen, labels[part], names, options, SENSOR, saccades.read)


DATA_SETS = {
    "n-caltech101": Known(
        "Caltech101 seen by a moving event camera, 240x180, 101 classes",
        _open,
        Options,
        "the folder Caltech101 with one folder a class of .bin files",
        "N-Caltech101 (Orchard et al., 2015), on Mendeley Data",
    )
}
