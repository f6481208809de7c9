"""The zip below an artifact: the same files always give the same bytes, and a bad archive is a clear error."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from spqc.errors import ArtifactError

LARGEST_BYTES = 2 << 30
"""More than any network of this compiler needs: an archive that declares more is refused unread."""
_MOST_FILES = 10_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAKE_HINT = "an artifact is made by `spqc compile MODEL -o FILE`"


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of the files, sorted by name, without clocks or owners."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def read_archive(path: Path) -> dict[str, bytes]:
    """Return the files of a zip by name; ArtifactError for a file that is missing, damaged or absurdly large."""
    content = _read(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_sizes(archive, path)
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError):
        raise _damaged(content, path) from None


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError("there is no such file", str(path), _MAKE_HINT) from None
    except OSError as error:
        raise ArtifactError(f"the file cannot be read: {error.strerror}", str(path)) from None
    if not content:
        raise ArtifactError("the file is empty", str(path), _MAKE_HINT)
    return content


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    if total > LARGEST_BYTES or len(infos) > _MOST_FILES:
        raise ArtifactError(
            f"the file declares {total} bytes in {len(infos)} parts; at most {LARGEST_BYTES} in {_MOST_FILES} are read",
            str(path),
            "compile the model again rather than trust this file",
        )
    if len({info.filename for info in infos}) != len(infos):
        raise ArtifactError("the file names a part twice", str(path), "compile the model again")


def _damaged(content: bytes, path: Path) -> ArtifactError:
    if content[:4] == b"PK\x03\x04":
        return ArtifactError(
            "the file is truncated or damaged", str(path), "compile the model again, or copy the file again"
        )
    return ArtifactError("this is not a spqc artifact", str(path), _MAKE_HINT)
