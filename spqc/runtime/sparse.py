"""Constants with many zeros: a bit an element that says which are not zero, then those alone at their true width.

The bits come first, little-endian within their bytes and padded to a whole byte; the elements follow as `packing` packs
them. The manifest names every constant that lies so, with its number of elements that are not zero: where this form is
smaller than the plain one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spqc.foundation.errors import GraphError
from spqc.ir.types import Array, Type

from .packing import pack, packed_size, unpack


def sparse_size(type_: Type, count: int) -> int:
    """Return how many bytes an array takes of which `count` elements are not zero."""
    return -(-type_.size // 8) + (packed_size(_kept(type_, count)) if count else 0)


def worthwhile(array: Array, type_: Type) -> int | None:
    """Return how many elements are not zero, where that form is smaller; None where the plain one is."""
    if type_.encoding in ("float", "fixed"):
        return None
    count = int(np.count_nonzero(array))
    return count if sparse_size(type_, count) < packed_size(type_) else None


def pack_sparse(array: Array, type_: Type) -> bytes:
    """Return the bytes of an array; GraphError where an element does not fit its type."""
    flat = np.ascontiguousarray(array).reshape(-1)
    kept = flat[flat != 0]
    bits = np.packbits(flat != 0, bitorder="little").tobytes()
    return bits + (pack(kept, _kept(type_, kept.size)) if kept.size else b"")


def unpack_sparse(content: bytes, type_: Type, count: int) -> Array:
    """Return the array that `pack_sparse` stored; GraphError where its bits name another number of elements."""
    present = _present(content, type_)
    if int(present.sum()) != count:
        raise GraphError(f"its bits name {int(present.sum())} elements of {type_}, not {count}")
    flat = np.zeros(type_.size, type_.dtype)
    if count:
        flat[present] = unpack(content[-(-type_.size // 8) :], _kept(type_, count))
    return flat.reshape(type_.shape)


def _present(content: bytes, type_: Type) -> Array:
    bits = np.frombuffer(content, np.uint8, -(-type_.size // 8))
    every = np.unpackbits(bits, bitorder="little")
    if every[type_.size :].any():
        raise GraphError(f"its bits name elements behind the last of {type_}")
    return np.asarray(every[: type_.size].astype(bool))


def _kept(type_: Type, count: int) -> Type:
    return replace(type_, shape=(count,))
