"""What a CPU can do, in LLVM's words and in the kernel's, so that an artifact never meets an instruction it lacks."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# LLVM's name of each instruction set that generated code may use -> the flag Linux shows for it
_FLAGS = {
    "sse3": "pni",
    "ssse3": "ssse3",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "sse4a": "sse4a",
    "popcnt": "popcnt",
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "fma4": "fma4",
    "xop": "xop",
    "tbm": "tbm",
    "f16c": "f16c",
    "bmi": "bmi1",
    "bmi2": "bmi2",
    "lzcnt": "abm",
    "movbe": "movbe",
    "adx": "adx",
    "aes": "aes",
    "pclmul": "pclmulqdq",
    "gfni": "gfni",
    "vaes": "vaes",
    "vpclmulqdq": "vpclmulqdq",
    "sha": "sha_ni",
    "avx512f": "avx512f",
    "avx512cd": "avx512cd",
    "avx512bw": "avx512bw",
    "avx512dq": "avx512dq",
    "avx512vl": "avx512vl",
    "avx512vbmi": "avx512vbmi",
    "avx512ifma": "avx512ifma",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512vnni": "avx512_vnni",
    "avx512bitalg": "avx512_bitalg",
    "avx512vpopcntdq": "avx512_vpopcntdq",
    "avx512bf16": "avx512_bf16",
    "avx512fp16": "avx512_fp16",
    "avx512vp2intersect": "avx512_vp2intersect",
    "avxvnni": "avx_vnni",
    "avxvnniint8": "avx_vnni_int8",
    "avxvnniint16": "avx_vnni_int16",
    "avxifma": "avx_ifma",
    "avxneconvert": "avx_ne_convert",
    "amx-tile": "amx_tile",
    "amx-int8": "amx_int8",
    "amx-bf16": "amx_bf16",
    "amx-fp16": "amx_fp16",
    "amx-complex": "amx_complex",
    "sha512": "sha512",
    "sm3": "sm3",
    "sm4": "sm4",
    "egpr": "apx",
}


@cache
def host_flags() -> frozenset[str]:
    """Return the flags of this machine's CPU as Linux shows them; empty where it shows none."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def host_features() -> frozenset[str]:
    """Return LLVM's names of the features that this machine's CPU shows."""
    flags = host_flags()
    return frozenset(feature for feature, flag in _FLAGS.items() if flag in flags)


def checked_features(features: Iterable[str]) -> list[str]:
    """Return those of LLVM's features that must be there for the code to run, sorted."""
    return sorted(set(features) & set(_FLAGS))


def missing_features(features: Iterable[str]) -> list[str]:
    """Return the features that this machine's CPU does not show."""
    flags = host_flags()
    return sorted(f for f in features if f in _FLAGS and _FLAGS[f] not in flags)


def architecture() -> str:
    return platform.machine()
