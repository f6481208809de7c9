"""What a file of torch.save holds, told from the first operations of its pickle: none of them is carried out."""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spqc.foundation.zips import BadZip, BoundedFile, Zip

MOST_BYTES = 1 << 18
"""How much of a pickle is looked at: the weights lie beside it, so that few are longer."""
_OLD = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How files began before torch.save wrote zips: a pickle. Those of the version, the system and the object follow."""
_PICKLE = "data.pkl"
_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE")
_PUTS = ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE")
_GETS = ("BINGET", "LONG_BINGET", "GET")
_OF_TENSORS = re.compile(r"torch\._utils\.\w+|torch\.\w*Storage|torch\.storage\.\w+|collections\.OrderedDict")
_PLAIN_NAME = re.compile(r"[\w.]{1,80}")


class OtherFile(Exception):
    """A file that torch.save did not write; the text says why."""


class DamagedFile(Exception):
    """A file that begins as torch.save writes them and cannot be read on; the text says why."""


@dataclass(frozen=True)
class Contents:
    """What the pickle of a file says.

    pairs: texts that follow each other at the top level, as a key of the outermost dictionary and its value do. names:
    the classes and functions that it would call. whole: whether the pickle ended within MOST_BYTES.
    """

    pairs: frozenset[tuple[str, str]]
    names: tuple[str, ...]
    whole: bool

    @property
    def stranger(self) -> str:
        """The first name that is no part of a tensor, where it can be printed; '' where there is none."""
        others = (name for name in self.names if not _OF_TENSORS.fullmatch(name))
        return next((name for name in others if _PLAIN_NAME.fullmatch(name)), "")


def look(path: Path) -> Contents:
    """Return what a file of torch.save holds. Raises OtherFile, DamagedFile, or OSError where it cannot be opened.

    Reads its table of contents and MOST_BYTES of its pickle, however large the file is.
    """
    if not path.is_file():
        raise OtherFile("it is no regular file")
    with BoundedFile(path) as file:
        start = file.read(len(_OLD))
        if start.startswith(b"PK"):
            return _read(io.BytesIO(_pickle_of(file)))
        if start == _OLD:
            return _read(_behind_the_heads(file))
    raise OtherFile("it is empty" if not start else "it is neither a zip nor an older file of torch.save")


def _pickle_of(file: BoundedFile) -> bytes:
    """Return the first bytes of the pickle in a zip."""
    try:
        archive = Zip(file)
        pickles = [name for name in archive.sizes if name.split("/")[1:] == [_PICKLE]]
        if len(pickles) != 1:
            raise OtherFile(f"it is a zip without the part {_PICKLE} of torch.save")
        folder = pickles[0].partition("/")[0]
        if f"{folder}/constants.pkl" in archive.sizes:
            raise OtherFile("it is a program of TorchScript")
        return archive.head(pickles[0], MOST_BYTES)
    except BadZip as error:
        raise DamagedFile(f"its zip is damaged or cut off: {error}") from None


def _behind_the_heads(file: BoundedFile) -> io.BytesIO:
    """Return the bytes of the object's pickle in an older file, of which the first pickle was read."""
    stream = io.BytesIO(file.read(MOST_BYTES))
    for _ in ("version", "system"):
        for _ in _operations(stream):
            pass
    return stream


def _operations(stream: io.BytesIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    """Yield the operations of a pickle with their arguments up to its end. Raises DamagedFile where it has none."""
    try:
        for operation, argument, _ in pickletools.genops(stream):
            yield operation, argument
    except (ValueError, LookupError, OverflowError) as error:
        raise DamagedFile(f"its pickle is damaged or cut off: {error}") from None


def _read(stream: io.BytesIO) -> Contents:
    walk = _Walk()
    limit_reached = len(stream.getvalue()) >= MOST_BYTES
    try:
        for operation, argument in _operations(stream):
            walk.take(operation, argument)
    except DamagedFile:
        if not limit_reached:  # a longer pickle ends in the middle of an operation
            raise
        return Contents(frozenset(walk.pairs), tuple(walk.names), False)
    return Contents(frozenset(walk.pairs), tuple(walk.names), True)


class _Walk:
    """Follows the operations of a pickle far enough to know its texts; builds nothing."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.names: list[str] = []
        self._height = 0  # of the stack that these operations would build
        self._marks: list[int] = []  # its height where a collection's items began that is not yet filled
        self._texts: list[str] = []  # that came last, one behind the other
        self._memo: dict[int, str] = {}
        self._puts = 0

    def take(self, operation: pickletools.OpcodeInfo, argument: Any) -> None:
        if operation.name in _PUTS:
            self._put(self._puts if argument is None else int(argument))
        elif operation.name in _TEXTS:
            self._text(argument)
        elif operation.name in _GETS and int(argument) in self._memo:
            self._text(self._memo[int(argument)])
        else:
            self._other(operation, argument)

    def _put(self, place: int) -> None:
        self._puts += 1
        if self._texts:
            self._memo[place] = self._texts[-1]

    def _text(self, text: str) -> None:
        if self._texts and self._marks == [1]:  # only the outermost collection lies below
            self.pairs.append((self._texts[-1], text))
        self._texts = [*self._texts[-1:], text]
        self._height += 1

    def _other(self, operation: pickletools.OpcodeInfo, argument: Any) -> None:
        if operation.name in ("GLOBAL", "INST"):
            self.names.append(str(argument).replace(" ", "."))
        elif operation.name == "STACK_GLOBAL":
            self.names.append(".".join(self._texts))
        self._texts = []
        self._move(operation)

    def _move(self, operation: pickletools.OpcodeInfo) -> None:
        """Change the height of the stack as an operation would."""
        before, after = operation.stack_before, operation.stack_after
        if pickletools.markobject in before:
            if not self._marks:
                raise DamagedFile("its pickle ends a collection that never began")
            self._height = self._marks.pop() - before.index(pickletools.markobject) + len(after)
            return
        if pickletools.markobject in after:
            self._marks.append(self._height)
        self._height += len(after) - len(before)
