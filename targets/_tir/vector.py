"""A small vocabulary of TIR vectors of any width, scalars included: `vectors_of` says how wide they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tvm
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder as T

from spqc.targets._tir.width import LANES

Expr = Any  # TVM's expressions have no types of their own


_WIDTH: ContextVar[int] = ContextVar("width", default=LANES)


@contextmanager
def vectors_of(width: int) -> Iterator[None]:
    """Emit vectors of so many elements within; of 1, plain scalars, as a thread of a GPU has them."""
    token = _WIDTH.set(width)
    try:
        yield
    finally:
        _WIDTH.reset(token)


def width() -> int:
    """Return how many elements a vector has here."""
    return _WIDTH.get()


def i32(value: int) -> Expr:
    return tirx.const(value, "int32")


def lanes(at: Expr, count: int | None = None) -> Expr:
    """Return the indices at, at+1, ... of one vector."""
    size = count or width()
    return at if size == 1 else tirx.Ramp(at, i32(1), size)


def constant(value: int, dtype: str, count: int | None = None) -> Expr:
    """Return a vector of one repeated constant."""
    return broadcast(tirx.const(value, dtype), count)


def broadcast(value: Expr, count: int | None = None) -> Expr:
    """Return a vector of one repeated scalar."""
    size = count or width()
    return value if size == 1 else T.Broadcast(value, size)


def cast(value: Expr, dtype: str, count: int | None = None) -> Expr:
    """Return a vector with elements of another type."""
    size = count or width()
    return value.astype(dtype if size == 1 else f"{dtype}x{size}")


def bind(value: Expr) -> Expr:
    """Evaluate once: an expression used twice would be computed twice."""
    return T.Bind(value)


def select(condition: Expr, yes: Expr, no: Expr) -> Expr:
    return tirx.Select(condition, yes, no)


def lane_numbers(dtype: str = "int32") -> Expr:
    return cast(lanes(i32(0)), dtype) if dtype != "int32" else lanes(i32(0))


class Registers:
    """`count` vectors that LLVM keeps in registers: each an array of its own, addressed by constants only.

    (One array for all would pass TVM's limit for the stack and move to the heap.)
    """

    def __init__(self, name: str, count: int, dtype: str = "int32") -> None:
        self.buffers = [IRBuilder.name(f"{name}{i}", T.alloc_buffer((width(),), dtype)) for i in range(count)]

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
