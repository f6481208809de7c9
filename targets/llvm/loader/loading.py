"""A library's bytes into this process: from memory, so that running needs no folder; from a file where that fails."""

from __future__ import annotations

import ctypes
import itertools
import os
from pathlib import Path

from spqc.foundation.errors import ArtifactError
from spqc.foundation.temporary import refused, temporary_folder, write_temporary

_NUMBERS = itertools.count()


def load(code: bytes) -> ctypes.CDLL:
    """Return a loaded library. Raises ArtifactError where it does not load, OutputError where no file can be made."""
    try:
        return _from_memory(code)
    except (OSError, AttributeError):  # no such system call, or a system that runs nothing from memory
        return _from_file(code)


def _from_memory(code: bytes) -> ctypes.CDLL:
    descriptor = os.memfd_create("spqc", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(code)
        return ctypes.CDLL(memory_path(descriptor, next(_NUMBERS)))
    finally:
        os.close(descriptor)


def memory_path(descriptor: int, number: int) -> str:
    """Return a path of an open file, another text for every number.

    The loader knows libraries by their paths, and descriptors are given again: one text for two libraries would be
    one library.
    """
    detours = "".join("../fd/" if bit == "1" else "./" for bit in f"{number:b}")
    return f"/proc/self/fd/{detours}{descriptor}"


def _from_file(code: bytes) -> ctypes.CDLL:
    with temporary_folder() as folder:
        path = write_temporary(folder / "model.so", code)
        try:
            return ctypes.CDLL(str(path))
        except OSError as error:
            if _forbids_code(folder):
                raise refused("the file system runs no code (noexec)") from None
            raise ArtifactError(
                f"the compiled library does not load: {error}", hint="compile it again on this machine"
            ) from None


def _forbids_code(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_NOEXEC)
