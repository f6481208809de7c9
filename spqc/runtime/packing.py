"""Integer arrays at their true bit width: little-endian bit strings, one element after the other.

Signed integers are two's complement in `bits`; power-of-two grids are stored as a sign bit above the index of the
magnitude (`spqc.ir.grids.magnitudes`); floats and fixed-point numbers are raw little-endian words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import GraphError
from spqc.ir.grids import magnitudes
from spqc.ir.types import Array, Type

_CHUNK = 1 << 18  # a multiple of 8 elements, so that every chunk ends on a whole byte


def packed_size(type_: Type) -> int:
    """Return how many bytes `pack` makes of an array of a type: all elements side by side, the last byte filled up."""
    return -(-type_.size * _stored_bits(type_) // 8)


def pack(array: Array, type_: Type) -> bytes:
    """Return the bytes of an array of this type; GraphError when an element does not fit."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if type_.encoding in ("float", "fixed"):
        return flat.astype(_raw_dtype(type_)).tobytes()
    codes = _grid_codes(flat, type_) if type_.encoding in ("pot", "apot") else _integer_codes(flat, type_)
    return pack_bits(codes, type_.bits)


def unpack(content: bytes, type_: Type) -> Array:
    """Return the array that `pack` stored, of the type's shape, in the numpy dtype that the interpreter computes in."""
    if type_.encoding in ("float", "fixed"):
        return np.frombuffer(content, _raw_dtype(type_)).astype(type_.dtype).reshape(type_.shape)
    decode = _from_grid if type_.encoding in ("pot", "apot") else _from_integers
    flat = np.empty(type_.size, np.int64)
    for start in range(0, type_.size, _CHUNK):  # the widened codes of a whole layer would take eight bytes a weight
        count = min(_CHUNK, type_.size - start)
        codes = unpack_bits(content[start * type_.bits // 8 :], type_.bits, count)
        flat[start : start + count] = decode(codes, type_)
    return flat.reshape(type_.shape)


def pack_bits(codes: npt.NDArray[np.uint64], bits: int) -> bytes:
    """Return the low `bits` of every code [n] as one little-endian bit string of ceil(n * bits / 8) bytes."""
    if bits in (8, 16, 32, 64):
        return codes.astype(f"<u{bits // 8}").tobytes()
    places = np.arange(bits, dtype=np.uint64)
    parts = []
    for start in range(0, codes.size, _CHUNK):
        part = (codes[start : start + _CHUNK, None] >> places) & np.uint64(1)
        parts.append(np.packbits(part.astype(np.uint8).reshape(-1), bitorder="little").tobytes())
    return b"".join(parts)


def unpack_bits(content: bytes, bits: int, count: int) -> npt.NDArray[np.uint64]:
    """Return the first `count` codes [count] of `bits` each of a bit string that `pack_bits` made."""
    if bits in (8, 16, 32, 64):
        return np.frombuffer(content, f"<u{bits // 8}", count).astype(np.uint64)
    if bits in (1, 2, 4):
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        whole = np.frombuffer(content, np.uint8, -(-count * bits // 8))[:, None] >> shifts
        return (whole & np.uint8((1 << bits) - 1)).reshape(-1)[:count].astype(np.uint64)
    codes = np.zeros(count, np.uint64)
    places = np.arange(bits, dtype=np.uint64)
    raw = np.frombuffer(content, np.uint8)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        first = start * bits // 8
        some = np.unpackbits(raw[first : first + -(-size * bits // 8)], count=size * bits, bitorder="little")
        words = some.reshape(size, bits).astype(np.uint64) << places
        codes[start : start + size] = words.sum(axis=1, dtype=np.uint64)
    return codes


def _stored_bits(type_: Type) -> int:
    return _raw_dtype(type_).itemsize * 8 if type_.encoding in ("float", "fixed") else type_.bits


def _raw_dtype(type_: Type) -> np.dtype[np.generic]:
    return type_.dtype.newbyteorder("<")


def _integer_codes(flat: npt.NDArray[Any], type_: Type) -> npt.NDArray[np.uint64]:
    low, high = type_.range
    if flat.size and (int(flat.min()) < low or int(flat.max()) > high):
        raise GraphError(f"{int(flat.min())}..{int(flat.max())} does not fit {type_}")
    return flat.astype(np.int64).astype(np.uint64)


def _from_integers(codes: npt.NDArray[np.uint64], type_: Type) -> Array:
    values = codes.astype(np.int64)
    if type_.range[0] < 0 and type_.bits < 64:
        values = np.where(values >= 1 << (type_.bits - 1), values - (1 << type_.bits), values)
    return np.asarray(values)


def _grid_codes(flat: npt.NDArray[Any], type_: Type) -> npt.NDArray[np.uint64]:
    grid = magnitudes(type_.encoding, type_.bits)
    size = np.abs(flat.astype(np.int64))
    index = np.minimum(np.searchsorted(grid, size), len(grid) - 1)
    if (grid[index] != size).any():
        raise GraphError(f"an element lies off the grid of {type_}", hint="its type and its integers disagree")
    signs = (flat < 0).astype(np.int64) << (type_.bits - 1)
    return np.asarray((index + signs).astype(np.uint64))


def _from_grid(codes: npt.NDArray[np.uint64], type_: Type) -> Array:
    grid = magnitudes(type_.encoding, type_.bits)
    sign = codes >> np.uint64(type_.bits - 1)
    index = (codes & np.uint64((1 << (type_.bits - 1)) - 1)).astype(np.int64)
    if index.size and int(index.max()) >= len(grid):
        raise GraphError(f"a code lies off the grid of {type_}")
    return np.asarray(np.where(sign == 1, -grid[index], grid[index]))
