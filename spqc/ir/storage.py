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
    if buffer.kind == "bits":
        shifts = np.arange(buffer.steps).reshape(1, -1, 1, 1)
        elements = np.bitwise_or.reduce(elements.astype(np.int64) << shifts, axis=1, keepdims=True)
    padded = np.zeros((*elements.shape[:3], buffer.channels), _dtype(buffer))
    padded[..., :channels] = elements
    if buffer.kind == "channel_bits":
        padded = np.packbits(padded, axis=3, bitorder="little")
    raw = padded.reshape(batch, -1).view(np.uint8)
    flat = np.zeros((batch, buffer.bytes), np.uint8)
    flat[:, : raw.shape[1]] = raw
    return flat


def fetch(buffer: Buffer, raw: Bytes) -> Array:
    """Return the array int64 [N, steps, ...] of the bytes [N, buffer.bytes] that `store` wrote."""
    batch = raw.shape[0]
    groups = 1 if buffer.kind == "bits" else buffer.steps
    size = groups * buffer.pixels * buffer.pixel_bytes
    kept = np.ascontiguousarray(raw[:, :size])
    if buffer.kind == "channel_bits":
        rows = kept.reshape(batch, groups, buffer.pixels, buffer.pixel_bytes)
        every = np.unpackbits(rows, axis=3, bitorder="little")
    else:
        every = kept.view(_dtype(buffer)).reshape(batch, groups, buffer.pixels, buffer.channels)
    elements = every[..., : buffer.value.type.shape[0]].astype(np.int64)
    if buffer.kind == "bits":
        elements = (elements >> np.arange(buffer.steps).reshape(1, -1, 1, 1)) & 1
    return elements.transpose(0, 1, 3, 2).reshape(batch, buffer.steps, *buffer.value.type.shape)


def _dtype(buffer: Buffer) -> np.dtype[np.generic]:
    sign = "i" if buffer.kind == "words" else "u"
    return np.dtype(f"{sign}{buffer.word_bits // 8}")
