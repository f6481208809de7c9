"""Arrays from files, without running anything that a file holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spqc.errors import InputError
from spqc.ir import Array


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
