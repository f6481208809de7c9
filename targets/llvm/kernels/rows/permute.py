"""Transposes in registers: two-register permutes of AVX-512 or plain shuffles, and what byte lanes need besides."""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder as T

from spqc.targets._tir.vector import Expr, i32, lanes
from spqc.targets._tir.width import LANES

_NAMES = {"8": ("qi", 64), "16": ("hi", 32), "32": ("d", 16)}
_PERMUTES = {64: "avx512.permvar.qi.512", 32: "avx2.pshuf.b", 16: "ssse3.pshuf.b.128"}  # by lanes
_TWO_REGISTERS = frozenset({"avx512f", "avx512bw", "avx512vbmi"})


def register_bits(features: frozenset[str]) -> int:
    """Return the width of the vectors that are transposed: 512 bits, or 128 where a shuffle stays within them."""
    return 512 if features >= _TWO_REGISTERS else 128


class Wide:
    """One vector of `count` elements that LLVM keeps in a register: an array addressed by constants only."""

    def __init__(self, name: str, dtype: str, count: int) -> None:
        self.buffer = IRBuilder.name(name, T.alloc_buffer((count,), dtype))
        self.count = count

    def get(self) -> Expr:
        return self.buffer[lanes(i32(0), self.count)]

    def set(self, value: Expr) -> None:
        T.buffer_store(self.buffer, value, [lanes(i32(0), self.count)])


def materialise_wide(value: Expr, dtype: str, count: int) -> Expr:
    """Evaluate a wide vector once (see `vector.materialise`)."""
    register = Wide("held", dtype, count)
    register.set(value)
    return T.Bind(register.get())


def elements(dtype: str, bits: int = 512) -> int:
    """Return how many elements a vector has."""
    return bits // int(dtype.removeprefix("uint").removeprefix("int"))


def look_up(table: Expr, index: Expr, count: int) -> Expr:
    """Return table[index] for `count` bytes; fewer than 64 have the table of 16 entries in every 128 bits."""
    return T.call_llvm_pure_intrin(f"int8x{count}", f"llvm.x86.{_PERMUTES[count]}", table, index)


def repeated(vector: Expr, count: int, times: int) -> Expr:
    """Return a vector of `count` elements, one behind the other so many times."""
    return vector if times == 1 else tirx.Shuffle([vector] * times, [i32(i) for i in range(count * times)])


def permute(dtype: str, table: Expr, index: Expr) -> Expr:
    """Return table[index] for a vector of 16- or 32-bit elements; an index counts modulo the elements."""
    name, count = {"16": ("hi", 32), "32": ("si", 16)}[dtype.removeprefix("uint").removeprefix("int")]
    return T.call_llvm_pure_intrin(f"{dtype}x{count}", f"llvm.x86.avx512.permvar.{name}.512", table, index)


def permute_two(dtype: str, first: Expr, index: Expr, second: Expr) -> Expr:
    """Return the elements of two vectors of 512 bits that `index` names, those of the second counted on."""
    name, count = _NAMES[dtype.removeprefix("uint").removeprefix("int")]
    return T.call_llvm_pure_intrin(f"{dtype}x{count}", f"llvm.x86.avx512.vpermi2var.{name}.512", first, index, second)


def to_lane_major(rows: list[Expr], dtype: str, bits: int = 512) -> list[Expr]:
    """Return the transpose of LANES rows of one vector each: LANES vectors that hold [column][row]."""
    count = elements(dtype, bits)
    if bits < 512:
        return _interleaved(rows, dtype, count)
    low, high = (_interleaving(dtype, count, first) for first in (0, count // 2))
    for _ in range(LANES.bit_length() - 1):  # each turn moves the row's top bit to the end of the index
        half = len(rows) // 2
        pairs = [(rows[i], rows[i + half]) for i in range(half)]
        rows = [
            materialise_wide(permute_two(dtype, a, index, b), dtype, count) for a, b in pairs for index in (low, high)
        ]
    return rows


def _interleaved(rows: list[Expr], dtype: str, count: int) -> list[Expr]:
    """Return what `to_lane_major` does, by shuffles that any CPU has."""
    orders = [[first + i // 2 + count * (i % 2) for i in range(count)] for first in (0, count // 2)]
    for _ in range(LANES.bit_length() - 1):
        half = len(rows) // 2
        pairs = [(rows[i], rows[i + half]) for i in range(half)]
        rows = [
            materialise_wide(tirx.Shuffle([a, b], [i32(i) for i in order]), dtype, count)
            for a, b in pairs
            for order in orders
        ]
    return rows


def to_row_major(vectors: list[Expr], dtype: str, bits: int = 512) -> list[Expr]:
    """Return the inverse of `to_lane_major`: LANES rows from vectors of [column][row]; narrow ones: LANES columns."""
    if bits < 512:  # a square is its own inverse
        return _interleaved(vectors, dtype, LANES)
    count = elements(dtype, bits)
    even, odd = (_striding(dtype, count, first) for first in (0, 1))
    for _ in range(LANES.bit_length() - 1):
        pairs = [(vectors[i], vectors[i + 1]) for i in range(0, len(vectors), 2)]
        vectors = [
            materialise_wide(permute_two(dtype, a, index, b), dtype, count) for index in (even, odd) for a, b in pairs
        ]
    return vectors


def every_second(first: Expr, second: Expr, count: int) -> Expr:
    """Return bytes 0, 2, 4, ... of two vectors of `count` bytes."""
    if count < 64:
        return tirx.Shuffle([first, second], [i32(2 * i) for i in range(count)])
    return permute_two("uint8", first, _striding("uint8", 64, 0), second)


def _interleaving(dtype: str, count: int, first: int) -> Expr:
    """Return the index vector first, count + first, first + 1, count + first + 1, ..."""
    lane = lanes(i32(0), count)
    index = (
        first + (lane >> constant_lanes(1, count)) + (lane & constant_lanes(1, count)) * constant_lanes(count, count)
    )
    return materialise_wide(index.astype(f"{dtype}x{count}"), dtype, count)


def _striding(dtype: str, count: int, first: int) -> Expr:
    """Return the index vector first, first + 2, first + 4, ..."""
    lane = lanes(i32(0), count) * constant_lanes(2, count) + constant_lanes(first, count)
    return materialise_wide(lane.astype(f"{dtype}x{count}"), dtype, count)


def constant_lanes(value: int, count: int, dtype: str = "int32") -> Expr:
    return T.Broadcast(tirx.const(value, dtype), count)


def bit_transposed(rows: Expr) -> Expr:
    """Return each 8 bytes' transpose as a matrix of bits: bit i of byte j is bit j of byte 7 - i (GFNI)."""
    lane = lanes(i32(0), 64)
    single = (constant_lanes(1, 64) << (lane & constant_lanes(7, 64))).astype("int8x64")
    ones = materialise_wide(single, "int8", 64)
    return T.call_llvm_pure_intrin("int8x64", "llvm.x86.vgf2p8affineqb.512", ones, rows, tirx.const(0, "int8"))


def shuffled_bytes(value: Expr, index: Expr) -> Expr:
    """Return bytes of each 16 of a vector in the order of `index` (AVX-512 BW)."""
    return T.call_llvm_pure_intrin("int8x64", "llvm.x86.avx512.pshuf.b.512", value, index)


def of_three(first: Expr, second: Expr, third: Expr, table: int, count: int) -> Expr:
    """Return any function of three bits of `count` words: bit 4 a + 2 b + c of `table` is its value (AVX-512 VL)."""
    name = f"llvm.x86.avx512.pternlog.q.{64 * count}"
    return T.call_llvm_pure_intrin(f"int64x{count}", name, first, second, third, tirx.const(table, "int32"))
