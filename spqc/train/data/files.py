"""Files as data sets ship them: read whole or refused with the name of the file and where to get it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError, UsageError

from .dataset import Labels
from .known import Request

T = TypeVar("T")

MOST_CLASSES = 1_000_000


def read_bytes(path: Path, hint: str = "") -> bytes:
    """Return the content of a file; InputError where it is missing, empty or cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", str(path), hint) from None
    if not content:
        raise InputError("the file is empty", str(path), hint)
    return content


@contextmanager
def located(path: Path, hint: str = "") -> Iterator[None]:
    """Give an InputError the file where it happened, and the hint where it has none."""
    try:
        yield
    except InputError as error:
        raise replace(error, where=str(path), hint=error.hint or hint) from None


def complete(content: bytes, size: int, what: str, path: Path, hint: str = "") -> None:
    """Raise InputError unless the content is a whole number of records of `size` bytes."""
    left = len(content) % size
    if left:
        raise InputError(f"the file is cut off: {left} bytes are left after the last {what} of {size}", str(path), hint)


def folder_below(request: Request, *names: str) -> Path:
    """Return the first of some folders below the root ("." is the root) that is there; InputError where none is."""
    root = request.folder()
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise InputError(f"there is no folder {' or '.join(names)}", str(root), request.get_it)


_FOREIGN = frozenset(
    ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "thumbs.db", "desktop.ini")
)
"""What file managers and archives of other systems leave behind, in lower case or as it is always written."""


def own(path: Path) -> bool:
    """Return whether a file or folder is one of the data set's: not hidden (AppleDouble's `._x` too), nor foreign."""
    return not path.name.startswith(".") and not {path.name, path.name.lower()} & _FOREIGN


def subfolders(folder: Path) -> tuple[str, ...]:
    """Return the names of the data set's own folders in a folder, sorted."""
    return tuple(sorted(entry.name for entry in folder.iterdir() if own(entry) and entry.is_dir()))


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Return the data set's own files of a pattern in a folder and all its own folders, sorted."""
    paths = sorted(folder.rglob(pattern))
    return [path for path in paths if path.is_file() and all(map(own, (path, *path.relative_to(folder).parents)))]


def class_folders(
    request: Request, folder: Path, suffixes: tuple[str, ...], names: tuple[str, ...] = ()
) -> tuple[list[Path], Labels, tuple[str, ...]]:
    """Return files, their classes and the class names of a folder that holds one folder a class.

    names: the classes in their order, which must all be there; without it every folder is a class, in order of name.
    Hidden files and folders, and those of file managers, are neither samples nor classes.
    Raises InputError for a class that is missing or holds no such file.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", str(folder), request.get_it)
    classes = names or subfolders(folder)
    if not classes:
        raise InputError("there is no folder of a class", str(folder), request.get_it)
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        files = sorted(entry for entry in (folder / name).glob("*") if entry.suffix.lower() in suffixes and own(entry))
        if not files:
            raise InputError(f"there is no {' or '.join(suffixes)} file", str(folder / name), request.get_it)
        paths += files
        labels += [label] * len(files)
    return paths, np.array(labels, np.int64), classes


def numbered(
    labels: npt.NDArray[Any], classes: int, path: Path, first: int = 0
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the classes 0.. of labels that begin with `first`, and names for them.

    classes: how many there are, or 0: up to the greatest label. Raises InputError for a label outside.
    """
    low, high = int(labels.min()), int(labels.max())
    count = classes or high - first + 1
    if low < first or high >= first + count:
        hint = "are the classes numbered from 1? labels-from=1" if (low, high, first) == (1, count, 0) else ""
        wrong = low if low < first else high
        raise InputError(f"there is a class {wrong}, beyond {first}..{first + max(count, 1) - 1}", str(path), hint)
    if count > MOST_CLASSES:
        raise InputError(f"there is a class {high}: are these numbers of classes?", str(path))
    return labels.astype(np.int64) - first, tuple(f"class {first + index}" for index in range(count))


def needing(package: str, extra: str, load: Callable[[], T]) -> T:
    """Return what `load` imports; UsageError says what to install where it cannot."""
    try:
        return load()
    except ImportError:
        raise UsageError(f"this data set is read by {package}, which is not installed", hint=extra) from None
