"""Hyperspectral images: from a cube of bands and a map of classes to patches around labelled pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError, UsageError

from .dataset import Codes, DataSet
from .known import Request
from .splits import stratified

Map = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cube:
    """An image of many bands: codes uint8 [H, W, bands], and the class of each pixel [H, W]: 1.., 0 where unknown."""

    codes: Codes
    labels: Map

    def padded(self, reach: int) -> Codes:
        """Return the codes with `reach` pixels more on every side, mirrored at the border (which is not repeated)."""
        height, width = self.labels.shape
        if reach >= min(height, width):
            raise UsageError(f"patches of {2 * reach + 1} pixels do not fit an image of {height}x{width}")
        return np.pad(self.codes, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")


def to_codes(values: npt.NDArray[np.generic], per_band: bool) -> Codes:
    """Return numbers [H, W, bands] as 0..255, from the least to the greatest of each band or of the whole cube.

    Rounds half to even, in float64. Raises InputError for NaN or infinity.
    """
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise InputError("the cube holds NaN or infinity")
    axes = (0, 1) if per_band else None
    low, high = numbers.min(axis=axes, keepdims=True), numbers.max(axis=axes, keepdims=True)
    reach = np.where(high > low, high - low, 1.0)
    return np.asarray(np.rint((numbers - low) / reach * 255), np.uint8)


def patches(
    request: Request, cube: Cube, class_names: tuple[str, ...], size: int, fraction: float, seed: int
) -> DataSet:
    """Return the patches uint8 [1, bands, size, size] around the labelled pixels of one split; class 0 is label 1."""
    rows, columns = np.nonzero(cube.labels)
    labels = cube.labels[rows, columns] - 1
    part = stratified(labels, fraction, seed)[request.known.splits.index(request.split)]
    image = cube.padded(size // 2)

    def read(index: int) -> Codes:
        row, column = rows[part[index]], columns[part[index]]
        patch = image[row : row + size, column : column + size]
        return np.ascontiguousarray(patch.transpose(2, 0, 1)[np.newaxis])

    return DataSet(
        name=request.name,
        split=request.split,
        description=f"patches of '{request.name}', {request.split} pixels ({fraction:g} to train on, seed {seed})",
        shape=(1, image.shape[2], size, size),
        steps=None,
        class_names=class_names,
        encoding="pixels",
        labels=labels[part],
        read=read,
    )
