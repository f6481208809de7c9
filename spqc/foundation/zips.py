"""Zips from anywhere, read part by part: each under a ceiling, so that no file takes more memory than it is for."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import BinaryIO

MOST_PARTS = 10_000
MOST_AT_ONCE = 4 << 20
"""More bytes than the table of contents of so many parts takes."""
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1  # a bit of a part's flags


class BadZip(Exception):
    """A zip that is damaged, unusual or too large; the text says why."""


class Zip:
    """The parts of a zip, none of them unpacked; every method raises BadZip."""

    def __init__(self, content: bytes | BinaryIO) -> None:
        with _clear():
            self._archive = zipfile.ZipFile(io.BytesIO(content) if isinstance(content, bytes) else content)
            self._parts = self._archive.infolist()
        if len(self._parts) > MOST_PARTS:
            raise BadZip(f"it declares {len(self._parts)} parts; at most {MOST_PARTS} are read")
        if len(self.sizes) != len(self._parts):
            raise BadZip("it names a part twice")

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many bytes each part declares, by its name."""
        return {part.filename: part.file_size for part in self._parts}

    def read(self, name: str, ceiling: int) -> bytes:
        """Return the bytes of a part, unpacked; never more than `ceiling` of them."""
        with _clear():
            part = self._part(name)
            if part.file_size > ceiling:
                raise BadZip(f"the part '{name}' declares {part.file_size} bytes; at most {ceiling} are read")
            with self._archive.open(part) as stream:
                content = stream.read(part.file_size)  # a number: without one the stream unpacks what it likes
                end = stream.read(1)
        if len(content) != part.file_size or end:
            raise BadZip(f"the part '{name}' is cut off")
        return content

    def head(self, name: str, most: int) -> bytes:
        """Return the first bytes of a part, unpacked: at most `most`, however many it declares."""
        with _clear(), self._archive.open(self._part(name)) as stream:
            return stream.read(most)

    def _part(self, name: str) -> zipfile.ZipInfo:
        part = self._archive.getinfo(name)
        if part.compress_type not in _PLAIN or part.flag_bits & _ENCRYPTED:
            raise BadZip(f"the part '{name}' is encrypted, or packed in another way than deflate")
        return part


class BoundedFile(io.FileIO):
    """A file for `Zip` to look into that is not in memory: one read of more than MOST_AT_ONCE bytes raises BadZip."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = MOST_AT_ONCE + 1
        content = super().read(most if size is None or size < 0 else min(size, most)) or b""
        if len(content) > MOST_AT_ONCE:
            raise BadZip(f"its table of contents, or what is read of it, takes more than {MOST_AT_ONCE} bytes")
        return content


@contextmanager
def _clear() -> Iterator[None]:
    """Raise BadZip for all that the standard library makes of damaged bytes."""
    try:
        yield
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, LookupError, NotImplementedError,
        RuntimeError, OverflowError,
    ) as error:  # fmt: skip
        raise BadZip(str(error) or type(error).__name__) from None
