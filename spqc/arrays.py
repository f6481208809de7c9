"""Arrays from files, without running anything that a file holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from spqc.errors import InputError
from spqc.ir import Array
from spqc.ir.foreign_arrays import as_array


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


def read_array(path: str | Path) -> Array:
    """Return the array in a .npy file; never unpickles. InputError for anything else."""
    hint = "save inputs with numpy.save(path, array)"
    try:
        with Path(path).open("rb") as file:
            found = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except (OSError, ValueError, EOFError, MemoryError, SyntaxError, TypeError) as error:
        raise InputError(f"this is not a readable .npy file: {error}", str(path), hint) from None
    return np.asarray(found)
