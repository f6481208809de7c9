"""A small vocabulary of TIR vectors: LANES elements side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tvm
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder as T

from spqc.targets._tir.width import LANES

Expr = Any  # TVM's expressions have no types of their own


def i32(value: int) -> Expr:
    return tirx.const(value, "int32")


def lanes(at: Expr, count: int = LANES) -> Expr:
    """Return the indices at, at+1, ... of one vector."""
    return tirx.Ramp(at, i32(1), count)


def constant(value: int, dtype: str, count: int = LANES) -> Expr:
    """Return a vector of one repeated constant."""
    return T.Broadcast(tirx.const(value, dtype), count)


def broadcast(value: Expr, count: int = LANES) -> Expr:
    return T.Broadcast(value, count)


def cast(value: Expr, dtype: str, count: int = LANES) -> Expr:
    return value.astype(f"{dtype}x{count}")


def bind(value: Expr) -> Expr:
    """Evaluate once: an expression used twice would be computed twice."""
    return T.Bind(value)


def select(condition: Expr, yes: Expr, no: Expr) -> Expr:
    return tirx.Select(condition, yes, no)


def or_lanes(value: Expr, dtype: str) -> Expr:
    """Return the bitwise or of a vector's lanes, as one scalar of `dtype`."""
    bits = int(dtype.removeprefix("uint").removeprefix("int"))
    return T.call_llvm_pure_intrin(dtype, f"llvm.vector.reduce.or.v16i{bits}", value)


def lane_numbers(dtype: str = "int32") -> Expr:
    return cast(lanes(i32(0)), dtype) if dtype != "int32" else lanes(i32(0))


class Registers:
    """`count` vectors that LLVM keeps in registers: each an array of its own, addressed by constants only.

    (One array for all would pass TVM's limit for the stack and move to the heap.)
    """

    def __init__(self, name: str, count: int, dtype: str = "int32") -> None:
        self.buffers = [IRBuilder.name(f"{name}{i}", T.alloc_buffer((LANES,), dtype)) for i in range(count)]

    def __getitem__(self, index: int) -> Expr:
        return self.buffers[index][lanes(i32(0))]

    def __setitem__(self, index: int, value: Expr) -> None:
        T.buffer_store(self.buffers[index], value, [lanes(i32(0))])


def materialise(value: Expr, dtype: str = "int32") -> Expr:
    """Evaluate a vector once: TVM's simplifier copies a pure `bind` into every use, without end; a load it keeps."""
    register = Registers("held", 1, dtype)
    register[0] = value
    return T.Bind(register[0])


def store(buffer: Expr, at: Expr, value: Expr) -> None:
    """Store a vector at an element index."""
    T.buffer_store(buffer, value, [lanes(at)])


@contextmanager
def when(condition: Expr | None) -> Iterator[None]:
    """Emit the body under a condition, or plainly where there is none."""
    if condition is None:
        yield
        return
    with T.If(condition), T.Then():
        yield


@contextmanager
def loop(extent: int) -> Iterator[Expr]:
    """Emit a loop, or its body alone where it runs once."""
    if extent == 1:
        yield i32(0)
        return
    with T.serial(0, extent) as index:
        yield index


def all_of(conditions: Sequence[Expr]) -> Expr | None:
    """Return the conjunction of conditions, None for none."""
    joined: Expr | None = None
    for condition in conditions:
        joined = condition if joined is None else tirx.And(joined, condition)
    return joined


def function(name: str, body: Any) -> tvm.tirx.PrimFunc:
    """Return the PrimFunc that `body()` emits."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(name)
        body()
    return builder.get()


def prefetch(view: Any, index: Expr) -> None:
    """Ask for the cache line of an element that will be read soon; any address may be asked for."""
    near, data = tirx.const(2, "int32"), tirx.const(1, "int32")  # into the second-level cache
    T.evaluate(T.call_llvm_intrin("void", "llvm.prefetch.p0", T.address_of(view[index]), i32(0), near, data))
