"""Memory for kernels: where it begins, and that it works where the system has no huge pages."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from spqc.targets._plan.aligned import aligned


@pytest.mark.parametrize("size", [1, 100, 2**20 - 1, 2**20, 5 * 2**20 + 3])
def test_memory_is_zero_writable_and_begins_on_a_vector(size: int) -> None:
    found = aligned(size)
    assert found.size == size
    assert found.ctypes.data % 64 == 0
    assert not found.any()
    found[:] = 7
    assert found.sum() == 7 * size


def test_small_memory_begins_where_it_is_asked_to() -> None:
    assert all(aligned(10, alignment).ctypes.data % alignment == 0 for alignment in (64, 128, 4096))


def test_a_system_without_huge_pages_gives_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(mmap.mmap):
        def madvise(self, *_: int) -> None:
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Plain)
    found = aligned(3 * 2**20)
    found[-1] = 1
    np.testing.assert_array_equal(np.flatnonzero(found), [found.size - 1])
