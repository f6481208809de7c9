"""Temporary files: gone afterwards whatever happens, and a folder that refuses them is named with its variable."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spqc.foundation.errors import OutputError


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder of one's own, removed afterwards. Raises OutputError where there is none to be had."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="spqc-"))
    except OSError as error:
        raise refused(error.strerror or str(error)) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_temporary(path: Path, content: bytes) -> Path:
    """Write a file in a temporary folder and return its path. Raises OutputError where the disk refuses."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise refused(error.strerror or str(error)) from None
    return path


def refused(reason: str) -> OutputError:
    """Return the error for a temporary folder that cannot be used."""
    folder = os.environ.get("TMPDIR")
    said = f"TMPDIR is '{folder}'" if folder else "TMPDIR is not set"
    hint = f"{said}; set TMPDIR to a folder that you may write, with room for some megabytes"
    return OutputError(f"temporary files cannot be written: {reason}", _place(), hint)


def _place() -> str:
    """Return the folder that temporary files go to, or "" where there is none."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return ""
