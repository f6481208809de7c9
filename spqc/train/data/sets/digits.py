"""The 8x8 handwritten digits of scikit-learn, split once and for all."""

from __future__ import annotations

import numpy as np

from spqc.foundation.errors import UsageError

from ..dataset import Codes, DataSet, Labels, in_memory
from ..known import Known, NoOptions, Request

_TEST_IMAGES = 360
_SPLIT_SEED = 0


def halves() -> tuple[tuple[Codes, Labels], tuple[Codes, Labels]]:
    """Return 1437 training and 360 test images, codes 0..16 uint8 [N, 1, 8, 8], and their labels, stratified by class.

    Raises UsageError without scikit-learn.
    """
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
    return (train_images, train_labels), (test_images, test_labels)


def _open(request: Request, options: NoOptions) -> DataSet:
    images, labels = halves()[request.known.splits.index(request.split)]
    return DataSet(
        name=request.name,
        split=request.split,
        description=f"handwritten digits of scikit-learn, {request.split} images",
        shape=(1, 8, 8),
        steps=None,
        class_names=tuple("0123456789"),
        encoding="digits",
        labels=labels,
        read=in_memory(images),
    )


DATA_SETS = {"digits": Known("handwritten digits, 8x8, 10 classes; comes with scikit-learn", _open)}
