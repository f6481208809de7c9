"""Memory for kernels: it begins on a vector's boundary, and large pieces take huge pages where the system has them."""

from __future__ import annotations

import contextlib
import mmap

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
_HUGE_PAGE = 2 * 2**20
_LARGE = 2**20  # bytes from which huge pages are asked for: weights read at random miss fewer translations


def aligned(size: int, alignment: int = 64) -> Bytes:
    """Return zeroed bytes that start on a multiple of `alignment`."""
    if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        return _from_boundary(_mapped(size + _HUGE_PAGE), size, _HUGE_PAGE)
    return _from_boundary(np.zeros(size + alignment, np.uint8), size, alignment)


def _mapped(size: int) -> Bytes:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a system without huge pages says so, and gives small ones
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def _from_boundary(raw: Bytes, size: int, alignment: int) -> Bytes:
    start = -raw.ctypes.data % alignment
    return raw[start : start + size]
