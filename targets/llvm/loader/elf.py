"""What a shared library says of itself (ELF, 64 bits, little-endian), read without loading it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from spqc.foundation.errors import ArtifactError

_MAGIC = b"\x7fELF\x02\x01\x01"
_SHARED_OBJECT = 3
_MACHINES = {62: "x86_64", 183: "aarch64", 243: "riscv64"}
_LOADED, _DYNAMIC_SYMBOLS = 1, 11  # PT_LOAD, SHT_DYNSYM
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


@dataclass(frozen=True)
class Extent:
    """Bytes of the file: `offset` is where they lie in it, `address` where they are loaded."""

    address: int
    offset: int
    size: int


@dataclass(frozen=True)
class Library:
    """The file of a shared library; every method raises ArtifactError where the file contradicts itself.

    What the loader would map must lie inside the file: a page that is mapped behind its end kills the process that
    reads it.
    """

    content: bytes

    def __post_init__(self) -> None:
        if self.content[: len(_MAGIC)] != _MAGIC or self._header[1] != _SHARED_OBJECT:
            raise _damaged("it is no shared library of 64 bits")
        self.loaded  # noqa: B018  raises where a segment lies outside

    @property
    def machine(self) -> str:
        """The architecture in the words of `platform.machine`, or its number."""
        number = self._header[2]
        return _MACHINES.get(number, f"machine {number}")

    @cached_property
    def loaded(self) -> list[Extent]:
        """What the loader maps of the file."""
        _, _, _, _, _, first, _, _, _, size, count, *_ = self._header
        extents = []
        for kind, _, offset, address, _, length, _, _ in self._table(_SEGMENT, first, size, count):
            self._inside(offset, length)
            if kind == _LOADED:
                extents.append(Extent(address, offset, length))
        return extents

    @cached_property
    def exports(self) -> dict[str, Extent]:
        """The functions and constants that the library offers, by name."""
        sections = self._sections()
        exports: dict[str, Extent] = {}
        for _, kind, _, _, offset, size, link, _, _, _ in sections:
            if kind != _DYNAMIC_SYMBOLS or link >= len(sections):
                continue
            names = sections[link]
            text = self._inside(names[4], names[5])
            for name, _, _, section, address, length in _SYMBOL.iter_unpack(self._whole(offset, size, _SYMBOL.size)):
                if section:  # else it is needed from another library
                    end = text.find(b"\0", name)
                    exports[text[name:end].decode("ascii", "replace")] = self._placed(address, length)
        return exports

    def bytes_of(self, name: str) -> bytes:
        """Return what an exported constant holds."""
        if name not in self.exports:
            raise _damaged(f"it does not export '{name}'")
        place = self.exports[name]
        return self._inside(place.offset, place.size)

    @cached_property
    def _header(self) -> tuple[int, ...]:
        if len(self.content) < _HEADER.size:
            raise _damaged("it is shorter than its header")
        return _HEADER.unpack_from(self.content)

    def _sections(self) -> list[tuple[int, ...]]:
        *_, size, count, _ = self._header
        sections = self._table(_SECTION, self._header[6], size, count)
        for _, kind, _, _, offset, length, *_ in sections:
            if kind != 8:  # SHT_NOBITS takes no bytes of the file
                self._inside(offset, length)
        return sections

    def _table(self, entry: struct.Struct, offset: int, size: int, count: int) -> list[tuple[int, ...]]:
        if count and size != entry.size:
            raise _damaged(f"an entry of its tables takes {size} bytes, not {entry.size}")
        return list(entry.iter_unpack(self._inside(offset, entry.size * count)))

    def _placed(self, address: int, size: int) -> Extent:
        """Return where in the file something lies that is loaded at an address; nothing there: no bytes."""
        for extent in self.loaded:
            if extent.address <= address and address + size <= extent.address + extent.size:
                return Extent(address, extent.offset + address - extent.address, size)
        return Extent(address, 0, 0)

    def _whole(self, offset: int, size: int, entry: int) -> bytes:
        if size % entry:
            raise _damaged("a table of it is cut off")
        return self._inside(offset, size)

    def _inside(self, offset: int, size: int) -> bytes:
        if offset + size > len(self.content):
            raise _damaged(f"it refers to byte {offset + size} of {len(self.content)}")
        return self.content[offset : offset + size]


def _damaged(reason: str) -> ArtifactError:
    return ArtifactError(f"the compiled library is damaged: {reason}", hint="compile the model again")
