"""Memory that compiled functions work in: plain, or a region between guard pages.

A guarded region lies directly against one of two pages that nobody may read or write, so that an access beyond that end
stops the process where it happens (SIGSEGV). What is left of the region's own pages, before and behind it, holds a
pattern, which `touched` compares.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import Unavailable
from spqc.targets._plan.aligned import Bytes, aligned

End = Literal["first", "last"]

_ALIGNMENT = 64
_PATTERN = 0xA5
_NONE, _READ = 0, 1  # PROT_NONE and PROT_READ of <sys/mman.h>


@dataclass(frozen=True)
class Region:
    """Bytes to work in, and the margins around them, which nobody may write."""

    bytes: Bytes
    margins: tuple[Bytes, ...] = ()

    def touched(self) -> bool:
        """Return whether something was written outside the region, as far as its pages go."""
        return any(bool((margin != _PATTERN).any()) for margin in self.margins)


class Garbage:
    """Random bytes of a seed, never the same twice.

    Every filling has a generator of its own: one that is kept has a lock, which a forked process could find closed.
    """

    def __init__(self, *seed: int) -> None:
        self._seed = seed
        self._fillings = 0

    def fill(self, memory: Bytes) -> None:
        self._fillings += 1
        generator = np.random.default_rng([*self._seed, self._fillings])
        memory[:] = np.frombuffer(generator.bytes(memory.size), np.uint8)


Allocate = Callable[[int], Region]


def plain(size: int) -> Region:
    """Return zeroed bytes without guards."""
    return Region(aligned(size))


def guarded(size: int, end: End) -> Region:
    """Return zeroed bytes whose first or last one (up to the alignment) lies against a guard page."""
    page = mmap.PAGESIZE
    room = -(-max(size, 1) // _ALIGNMENT) * _ALIGNMENT
    pages = -(-room // page) * page
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # a forked process works in pages of its own
    whole = np.frombuffer(mmap.mmap(-1, pages + 2 * page, flags=private), np.uint8)
    start = page if end == "first" else page + pages - room
    bytes_ = whole[start : start + size]
    margins = whole[page:start], whole[start + size : page + pages]
    for margin in margins:
        margin[:] = _PATTERN
    _protect(whole[:page], _NONE)
    _protect(whole[page + pages :], _NONE)
    return Region(bytes_, margins)


def read_only(content: npt.NDArray[np.uint8], end: End) -> Region:
    """Return a guarded copy that cannot be written."""
    page = mmap.PAGESIZE
    region = guarded(content.size, end)
    region.bytes[:] = content
    start = region.bytes.ctypes.data // page * page
    stop = -(-(region.bytes.ctypes.data + content.size) // page) * page
    _protect_at(start, stop - start, _READ)
    return region


def _protect(pages: Bytes, protection: int) -> None:
    _protect_at(pages.ctypes.data, pages.size, protection)


def _protect_at(address: int, size: int, protection: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if libc.mprotect(address, size, protection) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise Unavailable(f"memory cannot be guarded: {reason}", hint="run without SPQC_CHECK")
