"""What LLVM alone offers: reductions over lanes, and asking for cache lines ahead."""

from __future__ import annotations

from typing import Any

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._tir.vector import Expr, i32


def or_lanes(value: Expr, dtype: str) -> Expr:
    """Return the bitwise or of a vector's lanes, as one scalar of `dtype`."""
    bits = int(dtype.removeprefix("uint").removeprefix("int"))
    return T.call_llvm_pure_intrin(dtype, f"llvm.vector.reduce.or.v16i{bits}", value)


def prefetch(view: Any, index: Expr) -> None:
    """Ask for the cache line of an element that will be read soon; any address may be asked for."""
    near, data = tirx.const(2, "int32"), tirx.const(1, "int32")  # into the second-level cache
    T.evaluate(T.call_llvm_intrin("void", "llvm.prefetch.p0", T.address_of(view[index]), i32(0), near, data))
