"""Your own data as arrays, any shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from spqc.foundation.errors import InputError, UsageError
from spqc.ir.inputs import Encoding, InputFormat

from ..dataset import DataSet, in_memory
from ..files import MOST_CLASSES, numbered
from ..formats.npz import read_npz
from ..known import Known, Request, require


@dataclass(frozen=True)
class Options:
    """encoding: what the codes mean: pixels (0..255), digits (0..16) or spikes. moving: a sample's axes begin with T.

    classes: how many there are; 0: up to the greatest of the split. labels_from: the number of the first class.
    """

    encoding: Encoding = "pixels"
    moving: bool = False
    classes: int = 0
    labels_from: int = 0

    def __post_init__(self) -> None:
        require("classes", self.classes, 0, MOST_CLASSES)
        if self.encoding not in get_args(Encoding):
            raise UsageError(f"encoding must be one of {', '.join(get_args(Encoding))}, not {self.encoding!r}")


def _open(request: Request, options: Options) -> DataSet:
    path = request.folder() / f"{request.split}.npz"
    arrays = read_npz(path, ("x", "y"), hint=request.get_it)
    x, y = arrays["x"], arrays["y"]
    least = 3 if options.moving else 2
    if x.dtype != np.uint8 or x.ndim < least or y.dtype.kind not in "iu" or y.shape != x.shape[:1] or not x.size:
        raise InputError(
            f"'x' is {x.dtype} {list(x.shape)} and 'y' {y.dtype} {list(y.shape)}",
            str(path),
            "x holds codes uint8 [N, C, H, W] (moving: [N, T, C, H, W]), y the classes, integers [N]",
        )
    if x.max() > InputFormat(options.encoding).max:
        raise InputError(f"a code is {x.max()}, too great for '{options.encoding}'", str(path), "give another encoding")
    labels, class_names = numbered(y, options.classes, path, options.labels_from)
    return DataSet(
        name=request.name,
        split=request.split,
        description=f"arrays of {path.name}",
        shape=x.shape[least - 1 :],
        steps=x.shape[1] if options.moving else None,
        class_names=class_names,
        encoding=options.encoding,
        labels=labels,
        read=in_memory(x),
    )


DATA_SETS = {
    "arrays": Known(
        "your own codes and classes, any shape",
        _open,
        Options,
        "train.npz and test.npz, each with x (codes, uint8, samples first) and y (classes)",
        "your own arrays, saved with numpy.savez",
    )
}
