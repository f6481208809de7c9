"""The zip below an artifact: the same files always give the same bytes, and a bad archive is a clear error."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from spqc.foundation.errors import ArtifactError
from spqc.foundation.zips import BadZip, Zip

LARGEST_BYTES = 2 << 30
"""More than any network of this compiler needs: a file that is larger, or declares more, is refused unread."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAKE_HINT = "an artifact is made by `spqc compile MODEL -o FILE`"
_AGAIN = "compile the model again rather than trust this file"


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of the files, sorted by name, without clocks or owners: the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


class Archive:
    """The parts of an artifact's file by name; every method raises ArtifactError with the file's path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        content = _read(path)
        try:
            self._zip = Zip(content)
        except BadZip:
            raise _damaged(content, path) from None
        total = sum(self.sizes.values())
        if total > LARGEST_BYTES:
            raise ArtifactError(
                f"the file declares {total} bytes in {len(self.sizes)} parts; at most {LARGEST_BYTES} are read",
                str(path),
                _AGAIN,
            )

    @property
    def sizes(self) -> Mapping[str, int]:
        """The bytes that each part declares to have when it is unpacked, by its name."""
        return self._zip.sizes

    def read(self, name: str, ceiling: int) -> bytes:
        """Return the bytes of a part, unpacked. Raises ArtifactError where it declares more than `ceiling` bytes."""
        if self.sizes[name] > ceiling:
            raise ArtifactError(
                f"the part '{name}' declares {self.sizes[name]} bytes; at most {ceiling} are read",
                str(self.path),
                _AGAIN,
            )
        try:
            return self._zip.read(name, ceiling)
        except BadZip as error:
            raise ArtifactError(
                f"the file is truncated or damaged: {error}", str(self.path), "compile the model again"
            ) from None


def read_archive(path: Path) -> dict[str, bytes]:
    """Return every part of a file by name, whatever it is for; ArtifactError for a file that is no archive."""
    archive = Archive(path)
    return {name: archive.read(name, LARGEST_BYTES) for name in archive.sizes}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ArtifactError("there is no such file", str(path), _MAKE_HINT) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArtifactError(f"the file cannot be read: {reason}", str(path)) from None
    if not content:
        raise ArtifactError("the file is empty", str(path), _MAKE_HINT)
    if len(content) > LARGEST_BYTES:
        raise ArtifactError(f"the file has more than {LARGEST_BYTES} bytes", str(path), _MAKE_HINT)
    return content


def _damaged(content: bytes, path: Path) -> ArtifactError:
    if content[:4] == b"PK\x03\x04":
        return ArtifactError(
            "the file is truncated or damaged", str(path), "compile the model again, or copy the file again"
        )
    return ArtifactError("this is not a spqc artifact", str(path), _MAKE_HINT)
