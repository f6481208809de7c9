"""CIFAR images (Krizhevsky, 2009): the binary version, and the MATLAB version.

Binary: for each image one byte with its class (CIFAR-100: coarse, then fine) and 3072 bytes of pixels, 32x32, red then
green then blue. MATLAB: arrays `data` [N, 3072] of the same pixels and `labels` (CIFAR-100: `fine_labels`) [N, 1].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spqc.foundation.errors import InputError

from ..dataset import Codes, Labels
from ..files import complete, read_bytes
from .mat import read_mat

_PIXELS = 3 * 32 * 32


def read_binary(path: Path, label_bytes: int, hint: str = "") -> tuple[Codes, Labels]:
    """Return images uint8 [N, 3, 32, 32] and the last of the labels of each, [N]."""
    content = read_bytes(path, hint)
    complete(content, label_bytes + _PIXELS, "image", path, hint)
    rows = np.frombuffer(content, np.uint8).reshape(-1, label_bytes + _PIXELS)
    return rows[:, label_bytes:].reshape(-1, 3, 32, 32), rows[:, label_bytes - 1].astype(np.int64)


def read_matlab(path: Path, label_name: str, hint: str = "") -> tuple[Codes, Labels]:
    """Return images uint8 [N, 3, 32, 32] and labels [N]."""
    arrays = read_mat(path, ("data", label_name), hint)
    data, labels = arrays["data"], arrays[label_name].ravel()
    if data.dtype != np.uint8 or data.shape != (len(labels), _PIXELS):
        raise InputError(f"'data' is {data.dtype} {list(data.shape)} for {len(labels)} labels", str(path), hint)
    return np.ascontiguousarray(data).reshape(-1, 3, 32, 32), labels.astype(np.int64)
