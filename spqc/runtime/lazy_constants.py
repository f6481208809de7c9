"""Constants that stay packed until they are read: a process that runs an artifact never unpacks them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from spqc.ir.types import Array, Type

from .packing import packed_size, unpack
from .sparse import sparse_size, unpack_sparse


@dataclass(frozen=True)
class LazyConstants(Mapping[str, Array]):
    """The arrays of `weights.bin`, by name in file order; every look-up unpacks anew, into a read-only array.

    `sparse` names the arrays that are stored without their zeros, with how many elements are left.
    """

    content: bytes
    types: Mapping[str, Type]
    sparse: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes that all the arrays take, packed."""
        return sum(map(self._size, self.types))

    def __getitem__(self, name: str) -> Array:
        start = 0
        for other in self.types:
            if other == name:
                array = self._unpacked(name, self.content[start : start + self._size(name)])
                array.setflags(write=False)
                return array
            start += self._size(other)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)

    def _size(self, name: str) -> int:
        type_ = self.types[name]
        return sparse_size(type_, self.sparse[name]) if name in self.sparse else packed_size(type_)

    def _unpacked(self, name: str, content: bytes) -> Array:
        type_ = self.types[name]
        return unpack_sparse(content, type_, self.sparse[name]) if name in self.sparse else unpack(content, type_)
