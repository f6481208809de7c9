"""NumPy's own files, read without unpickling anything."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from ..events import Events, in_order
from ..files import located

Array = npt.NDArray[Any]
_BROKEN = (OSError, ValueError, EOFError, KeyError, SyntaxError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error)


def read_npy(path: Path, hint: str = "") -> Array:
    """Return the array of an .npy file; InputError for anything else."""
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except _BROKEN as error:
        raise InputError(f"this is not a readable .npy file: {error}", str(path), hint) from None
    return np.asarray(array)


def read_npz(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = (), hint: str = "") -> dict[str, Array]:
    """Return some arrays of an .npz file by name; InputError where one is missing or the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError("this is not an .npz file", str(path), hint)
            missing = [name for name in names if name not in archive.files]
            if missing:
                held = ", ".join(archive.files) or "nothing"
                raise InputError(f"the file holds {held}, and no '{missing[0]}'", str(path), hint)
            return {name: archive[name] for name in (*names, *optional) if name in archive.files}
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except _BROKEN as error:
        raise InputError(f"this is not a readable .npz file: {error}", str(path), hint) from None


def read_events(path: Path, hint: str = "", late: int = 0) -> Events:
    """Return events kept as arrays t (microseconds, 0 or more), x, y and p (0 or 1) of one length.

    late: as in `in_order`; nothing is known of a counter that starts again.
    """
    arrays = read_npz(path, ("t", "x", "y", "p"), hint=hint)
    if len({array.shape for array in arrays.values()}) != 1 or arrays["t"].ndim != 1:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise InputError(f"the arrays of the events differ in shape: {shapes}", str(path), hint)
    if any(array.dtype.kind not in "bui" for array in arrays.values()):
        raise InputError("the events must be integers", str(path), hint)
    negative = arrays["t"].astype(np.int64) < 0  # as is an unsigned time beyond 2^63
    if negative.any():
        first = int(np.argmax(negative))
        raise InputError(f"event {first} has the time {arrays['t'][first]}, no time from 0 on", str(path), hint)
    with located(path, hint):
        return in_order(arrays["t"], arrays["x"], arrays["y"], arrays["p"], late)
