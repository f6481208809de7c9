"""Marks for what this CPU may lack."""

from __future__ import annotations

import pytest

from spqc.targets.llvm.cpu import host_flags

SLICES = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "gfni"})
needs_v3 = pytest.mark.skipif("avx2" not in host_flags(), reason="this CPU cannot run code for x86-64-v3")
needs_vbmi = pytest.mark.skipif("avx512vbmi" not in host_flags(), reason="this CPU has no byte permutes of 512 bits")
needs_v2 = pytest.mark.skipif("ssse3" not in host_flags(), reason="this CPU cannot run code for x86-64-v2")
needs_slices = pytest.mark.skipif(not set(host_flags()) >= SLICES, reason="this CPU has no GFNI on 512 bits")
on_every_cpu = pytest.mark.parametrize(  # byte permutes of 512, 256 and 128 bits
    "cpu",
    [
        pytest.param("host", marks=needs_vbmi),
        pytest.param("x86-64-v3", marks=needs_v3),
        pytest.param("x86-64-v2", marks=needs_v2),
    ],
)
