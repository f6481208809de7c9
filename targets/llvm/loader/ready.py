"""Whether this machine can load compiled libraries at all: what running needs, without compiling anything."""

from __future__ import annotations

import _ctypes
import ctypes
import shutil
import tempfile
from pathlib import Path

from spqc.foundation.errors import Unavailable


def require_loadable() -> None:
    """Raise Unavailable where a library from an artifact could not be loaded: it is tried with one of Python's own."""
    example = getattr(_ctypes, "__file__", "")
    if not example:  # this Python has it built in, and none to try with
        return
    try:
        with tempfile.TemporaryDirectory(prefix="spqc-") as folder:
            ctypes.CDLL(shutil.copy(example, str(Path(folder, "example.so"))))
    except OSError as error:
        folder = tempfile.gettempdir()
        raise Unavailable(
            f"a library in {folder} cannot be loaded: {error}", hint="let TMPDIR name a folder that may hold programs"
        ) from None
