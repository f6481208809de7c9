"""Constants that stay packed until they are read: a process that runs an artifact never unpacks them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spqc.ir.types import Array, Type

from .packing import packed_size, unpack


@dataclass(frozen=True)
class StoredConstants(Mapping[str, Array]):
    """The arrays of `weights.bin`, by name in file order; every look-up unpacks anew, into a read-only array."""

    content: bytes
    types: Mapping[str, Type]

    @property
    def size(self) -> int:
        """How many bytes the arrays take, packed."""
        return sum(map(packed_size, self.types.values()))

    def __getitem__(self, name: str) -> Array:
        start = 0
        for other, type_ in self.types.items():
            if other == name:
                array = unpack(self.content[start : start + packed_size(type_)], type_)
                array.setflags(write=False)
                return array
            start += packed_size(type_)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)
