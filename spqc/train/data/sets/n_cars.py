"""N-Cars: cars and streets without any, 100 ms each (Sironi et al., 2018)."""

from __future__ import annotations

from pathlib import Path

from ..dataset import DataSet
from ..events import Events, FrameOptions
from ..files import class_folders, folder_below
from ..formats import prophesee
from ..known import Known, Request
from ..recordings import recordings

SENSOR = (100, 120)
CLASSES = ("background", "cars")


def read(path: Path, hint: str, late: int) -> Events:
    """Return every event of a file; late: as in `in_order`."""
    return prophesee.read(path, hint).all(late)


def _open(request: Request, options: FrameOptions) -> DataSet:
    inside = f"n-cars_{request.split}"
    folder = folder_below(request, f"{inside}/{request.split}", inside, request.split)
    paths, labels, names = class_folders(request, folder, (".dat",), CLASSES)
    return recordings(request, paths, labels, names, options, SENSOR, read)


DATA_SETS = {
    "n-cars": Known(
        "cars or none, seen by an event camera, up to 120x100, 2 classes",
        _open,
        FrameOptions,
        "the folders n-cars_train and n-cars_test, each with cars and background, of .dat files",
        "Prophesee's N-CARS dataset (Sironi et al., 2018)",
    )
}
