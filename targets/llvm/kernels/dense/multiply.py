"""Emits the inner step of the dense kernel: load inputs, load weights, multiply and add, as the product says."""

from __future__ import annotations

from functools import singledispatch

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._tir.context import Context
from spqc.targets._tir.vector import Expr, bind, broadcast, cast, constant, i32, lanes
from spqc.targets._tir.width import LANES

from .product import Dot, Pairs, Portable, Product, Words


@singledispatch
def inputs(product: Product, context: Context, at: Expr) -> Expr:
    """Return the input bytes at byte index `product.group * at`, in every lane."""
    raise TypeError(f"no inputs of {product}")


@singledispatch
def weights(product: Product, context: Context, at: Expr) -> Expr:
    """Return the weights of LANES outputs; `at` counts vectors of LANES outputs."""
    raise TypeError(f"no weights of {product}")


@singledispatch
def accumulate(product: Product, total: Expr, codes: Expr, weight: Expr) -> Expr:
    """Return a vector of sums with the products of inputs and weights added."""
    raise TypeError(f"no products of {product}")


@inputs.register(Dot)
@inputs.register(Pairs)
def _inputs_side_by_side(product: Dot | Pairs, context: Context, at: Expr) -> Expr:
    return bind(broadcast(context.memory.view("arena", f"int{8 * product.group}")[at]))


@weights.register(Dot)
@weights.register(Pairs)
def _weights_side_by_side(product: Dot | Pairs, context: Context, at: Expr) -> Expr:
    count = product.group * LANES
    return bind(context.memory.view("constant", "int8")[lanes(at * count, count)])


@accumulate.register
def _(product: Dot, total: Expr, codes: Expr, weight: Expr) -> Expr:
    if product.halves:
        return _dot_halves(total, codes, weight)
    bytes_ = tirx.reinterpret("uint8x64", codes)
    return T.call_llvm_pure_intrin("int32x16", "llvm.x86.avx512.vpdpbusd.512", total, bytes_, weight)


def _dot_halves(total: Expr, codes: Expr, weight: Expr) -> Expr:
    bytes_, half = tirx.reinterpret("uint8x32", _part(codes, 0, LANES // 2)), LANES // 2
    name = "llvm.x86.avx512.vpdpbusd.256"
    sums = [
        T.call_llvm_pure_intrin("int32x8", name, _part(total, i, half), bytes_, _part(weight, i, 2 * LANES))
        for i in range(2)
    ]
    return _joined(sums, LANES)


@accumulate.register
def _(product: Pairs, total: Expr, codes: Expr, weight: Expr) -> Expr:
    if product.halves:
        bytes_ = tirx.reinterpret(f"uint8x{LANES}", _part(codes, 0, LANES // 2))
        halves = [_part(weight, i, LANES) for i in range(2)]
        name = "llvm.x86.ssse3.pmadd.ub.sw.128"
        sums = [T.call_llvm_pure_intrin(f"int16x{LANES // 2}", name, bytes_, half) for half in halves]
        return total + _joined(sums, LANES)
    bytes_ = tirx.reinterpret(f"uint8x{2 * LANES}", codes)
    return total + T.call_llvm_pure_intrin(f"int16x{LANES}", "llvm.x86.avx2.pmadd.ub.sw", bytes_, weight)


@inputs.register
def _(product: Words, context: Context, at: Expr) -> Expr:
    return bind(broadcast(context.memory.view("arena", "uint8")[at].astype("int16")))


@weights.register
def _(product: Words, context: Context, at: Expr) -> Expr:
    return bind(cast(context.memory.view("constant", "int8")[lanes(at * LANES)], "int16"))


@accumulate.register
def _(product: Words, total: Expr, codes: Expr, weight: Expr) -> Expr:
    return total + codes * weight


@inputs.register
def _(product: Portable, context: Context, at: Expr) -> Expr:
    value = context.memory.view("arena", "uint8")[at].astype(product.dtype)
    return bind(broadcast(tirx.const(0, product.dtype) - value if product.multiply == "select" else value))


@weights.register
def _(product: Portable, context: Context, at: Expr) -> Expr:
    return bind(cast(context.memory.view("constant", product.weight_dtype)[lanes(at * LANES)], product.dtype))


@accumulate.register
def _(product: Portable, total: Expr, codes: Expr, weight: Expr) -> Expr:
    if product.multiply == "select":  # a spike is a mask of all ones or none
        return total + (codes & weight)
    if product.multiply == "shift":
        return total + _shifted(codes, weight, product.dtype)
    return total + codes * weight


def _shifted(codes: Expr, weight: Expr, dtype: str) -> Expr:
    """Return +-(codes << k) from weights of sign bit 7 (now the vector's sign), non-zero bit 6 and shift k."""
    width = int(dtype.removeprefix("int"))
    sign = bind(weight >> constant(width - 1, dtype))
    present = (weight << constant(width - 7, dtype)) >> constant(width - 1, dtype)
    shifted = bind((codes << (weight & constant(31, dtype))) & present)
    return (shifted ^ sign) - sign


def _part(vector: Expr, index: int, count: int) -> Expr:
    """Return one of the equal parts of a vector."""
    return tirx.Shuffle([vector], [i32(index * count + i) for i in range(count)])


def _joined(parts: list[Expr], count: int) -> Expr:
    return tirx.Shuffle(parts, [i32(i) for i in range(count)])
