"""The digits as whole arrays, for training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .data.sets.digits import halves


@dataclass(frozen=True)
class Split:
    """Images as codes 0..16, uint8 [N, 1, 8, 8], and labels int64 [N]."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """Images as codes 0..16, uint8 [N, 1, 8, 8], and labels int64 [N]."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def test_set() -> Images:
    """Return the 360 test images. Raises UsageError without scikit-learn."""
    split = load()
    return Images(split.test_images, split.test_labels)


def load() -> Split:
    """Return 1437 training and 360 test images, stratified by class. Raises UsageError without scikit-learn."""
    (train_images, train_labels), (test_images, test_labels) = halves()
    return Split(train_images, train_labels, test_images, test_labels)
