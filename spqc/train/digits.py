"""The 8x8 handwritten digits of scikit-learn, split once and for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spqc.errors import UsageError

_TEST_IMAGES = 360
_SPLIT_SEED = 0


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
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise UsageError(
            "the digits come with scikit-learn, which is not installed", hint="pip install scikit-learn"
        ) from error
    data = load_digits()
    images = data.images.astype(np.uint8)[:, np.newaxis]
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, data.target.astype(np.int64), test_size=_TEST_IMAGES, stratify=data.target, random_state=_SPLIT_SEED
    )
    return Split(train_images, train_labels, test_images, test_labels)
