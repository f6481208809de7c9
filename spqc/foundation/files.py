"""Files that are either complete or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from spqc.foundation.errors import OutputError


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file in one step; OutputError when the disk refuses, and then what was there before is untouched."""
    if _is_special(path):
        _write_through(path, content)
        return
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise _refused(path, error) from None
    except BaseException:  # an interrupt, say
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    """Return whether the path is a device or a pipe."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except OSError as error:
        raise _refused(path, error) from None


def _write_through(path: Path, content: bytes) -> None:
    """Write to a device or a pipe, which must not be replaced by a file."""
    try:
        with path.open("wb") as file:
            file.write(content)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write '{path}': {error.strerror or error}",
        hint="choose a folder that exists, that you may write, and that has room; nothing was changed",
    )


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
