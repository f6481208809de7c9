"""How arrays lie in the bytes of a buffer: the layouts of the lowered form, in numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .program import Buffer
from .types import Array

Bytes = npt.NDArray[np.uint8]


def store(buffer: Buffer, array: Array) -> Bytes:
    """Return [N, buffer.bytes] for an array [N, steps, ...] (channel first, as in the graph)."""
    batch = array.shape[0]
    channels = buffer.value.type.shape[0]
    elements = array.reshape(batch, buffer.steps, channels, buffer.pixels).transpose(0, 1, 3, 2)
    if buffer.layout == "bits":
        shifts = np.arange(buffer.steps).reshape(1, -1, 1, 1)
        elements = np.bitwise_or.reduce(elements.astype(np.int64) << shifts, axis=1, keepdims=True)
    sign = "i" if buffer.layout == "words" else "u"
    padded = np.zeros((*elements.shape[:3], buffer.channels), np.dtype(f"{sign}{buffer.word_bits // 8}"))
    padded[..., :channels] = elements
    flat = np.zeros((batch, buffer.bytes), np.uint8)
    raw = padded.reshape(batch, -1).view(np.uint8)
    flat[:, : raw.shape[1]] = raw
    return flat


def fetch(buffer: Buffer, raw: Bytes) -> Array:
    """Return the array int64 [N, steps, ...] of the bytes [N, buffer.bytes] that `store` wrote."""
    batch = raw.shape[0]
    groups = 1 if buffer.layout == "bits" else buffer.steps
    sign = "i" if buffer.layout == "words" else "u"
    dtype = np.dtype(f"{sign}{buffer.word_bits // 8}")
    count = groups * buffer.pixels * buffer.channels
    padded = np.ascontiguousarray(raw[:, : count * dtype.itemsize]).view(dtype)
    every = padded.reshape(batch, groups, buffer.pixels, buffer.channels)
    elements = every[..., : buffer.value.type.shape[0]].astype(np.int64)
    if buffer.layout == "bits":
        elements = (elements >> np.arange(buffer.steps).reshape(1, -1, 1, 1)) & 1
    return elements.transpose(0, 1, 3, 2).reshape(batch, buffer.steps, *buffer.value.type.shape)
