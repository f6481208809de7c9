"""Arrays from files, without running anything that a file holds, and without more memory than it has bytes."""

from __future__ import annotations

import io
import math
import os
import stat
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError
from spqc.foundation.files import write_atomic
from spqc.foundation.foreign_arrays import as_array

Array = npt.NDArray[Any]


def class_labels(labels: npt.ArrayLike, samples: int, classes: int, first: int = 0) -> npt.NDArray[np.int64]:
    """Return the classes 0.. of labels [samples] that begin with `first`; InputError for a label that is no class."""
    given = as_array(labels)
    if given.shape != (samples,) or not samples:
        raise InputError(f"there are labels of shape {list(given.shape)} for {samples} samples")
    if given.dtype.kind not in "biu":
        raise InputError(f"labels must be integers, not {given.dtype}")
    low, high = int(given.min()), int(given.max())
    if low < first or high >= first + classes:
        shifted = (first, high) == (0, classes) and low > 0
        wrong = low if low < first else high
        raise InputError(
            f"label {int(np.argmax(given == wrong))} is {wrong}, beyond the classes {first}..{first + classes - 1}",
            hint="are the classes numbered from 1? labels_from=1, --labels-from 1" if shifted else "",
        )
    return given.astype(np.int64) - first


HEADER_BYTES = 16_384
"""More than the header of any .npy file of plain numbers takes."""
_MOST_AXES = 32
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class BadArray(ValueError):
    """Bytes that are no array of plain numbers; the text says why."""


def read_array(path: str | Path) -> Array:
    """Return the array in a .npy file; never unpickles. InputError for anything else."""
    hint = "save inputs with numpy.save(path, array)"
    try:
        with Path(path).open("rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return parse_array(file, os.fstat(file.fileno()).st_size)
            content = file.read()  # a pipe: it has no size
        return parse_array(io.BytesIO(content), len(content))
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except (OSError, ValueError, MemoryError) as error:
        raise InputError(f"this is not a readable .npy file: {error}", str(path), hint) from None


def parse_array(file: BinaryIO, size: int) -> Array:
    """Return the array in a stream of `size` bytes in the format .npy; BadArray where it is not exactly that."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in _READERS:
            raise BadArray(f"version {version[0]}.{version[1]} of the format is not read")
        shape, by_columns, dtype = _READERS[version](file, max_header_size=HEADER_BYTES)
    except BadArray:
        raise
    except (
        ValueError, SyntaxError, TokenError, TypeError, EOFError, LookupError, RecursionError, ArithmeticError,
        MemoryError,
    ) as error:  # fmt: skip
        raise BadArray(str(error).partition("\n")[0]) from None
    if dtype.hasobject or dtype.subdtype is not None or dtype.names is not None:
        raise BadArray(f"it holds {dtype}, not plain numbers")
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0 or any(type(side) is not int for side in shape):
        raise BadArray("its shape is no shape")
    needed, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if needed > held:
        raise BadArray(f"it declares {needed} bytes of an array {list(shape)} and holds {held}")
    content = bytearray(file.read(needed))
    if len(content) != needed:
        raise BadArray("it is cut off")
    array: Array = np.frombuffer(content, dtype) if needed else np.zeros(math.prod(shape), dtype)
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)


def save_array(path: str | Path, array: npt.ArrayLike) -> None:
    """Write an array as .npy in one step; OutputError when the disk refuses."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    write_atomic(Path(path), buffer.getvalue())
