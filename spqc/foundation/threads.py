"""How many threads the frameworks may use, for a while."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "OMP_NUM_THREADS"


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Let OpenMP, and torch where it is loaded, use this many threads inside the block; None changes nothing."""
    if threads is None:
        yield
        return
    torch = sys.modules.get("torch")
    variable, number = os.environ.get(_VARIABLE), 0 if torch is None else torch.get_num_threads()
    try:
        os.environ[_VARIABLE] = str(threads)
        if torch is not None:
            torch.set_num_threads(threads)
        yield
    finally:
        if variable is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = variable
        if torch is not None:
            torch.set_num_threads(number)
