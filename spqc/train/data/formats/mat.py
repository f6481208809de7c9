"""MATLAB's .mat files up to version 7, through scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from ..files import needing, read_bytes


def _loadmat() -> Any:
    from scipy.io import loadmat

    return loadmat


def read_mat(path: Path, names: tuple[str, ...], hint: str = "") -> dict[str, npt.NDArray[Any]]:
    """Return some arrays of numbers by name; InputError where one is missing or the file is damaged."""
    loadmat = needing("scipy", "pip install 'spqc[data]'", _loadmat)
    read_bytes(path, hint)
    try:
        variables = loadmat(str(path))
    except NotImplementedError:
        raise InputError("this is a .mat file of version 7.3", str(path), "save it with -v7 in MATLAB") from None
    except Exception as error:  # the reader meets damaged bytes with errors of many kinds, its own among them
        raise InputError(f"this is not a readable .mat file: {error}", str(path), hint) from None
    held = sorted(name for name in variables if not name.startswith("__"))
    for name in names:
        if name not in variables:
            raise InputError(f"the file holds {', '.join(held) or 'nothing'}, and no '{name}'", str(path), hint)
        if not isinstance(variables[name], np.ndarray) or variables[name].dtype.kind not in "biuf":
            raise InputError(f"'{name}' holds no numbers", str(path), hint)
    return {name: variables[name] for name in names}
