"""What a library was compiled with: hashes of its settings, its graph, its constants and of itself, inside it.

A manifest can be edited and its hashes made right again; compiled code believes its arguments. So the library exports
what it belongs to, and nothing of it is loaded before that was compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import ArtifactError
from spqc.ir import Graph

from .elf import Library

SYMBOL = "spqc_seal"
_MARK = b"spqc-seal-1\0\0\0\0\0"
_BYTES = 32  # of one hash
_AGAIN = "compile the model again"


@dataclass(frozen=True)
class Seal:
    """Hashes (sha256): `settings` of the settings and the graph's text, `constants` of the kernels' memory of them."""

    settings: bytes
    constants: bytes

    @property
    def source(self) -> str:
        """C that exports the seal, with room for the library's own hash."""
        content = _MARK + bytes(_BYTES) + self.settings + self.constants
        numbers = ",".join(map(str, content))
        return f'__attribute__((visibility("default"), used)) const unsigned char {SYMBOL}[] = {{{numbers}}};\n'


def seal_of(settings: Mapping[str, Any], graph: Graph, constants: npt.NDArray[np.uint8]) -> Seal:
    """Return the seal of a library that is called as `settings` say, for `graph`, over this constant memory."""
    text = json.dumps(settings, sort_keys=True) + "\n" + str(graph)
    return Seal(hashlib.sha256(text.encode()).digest(), hashlib.sha256(constants.data).digest())


def signed(library: bytes) -> bytes:
    """Return a library that was linked with a seal, its own hash filled in."""
    place = Library(library).exports[SYMBOL].offset + len(_MARK)
    return library[:place] + _own_hash(library, place) + library[place + _BYTES :]


def read_seal(library: Library) -> Seal:
    """Return the seal of a library; ArtifactError where it has none, or was changed after it was linked."""
    if SYMBOL not in library.exports:
        raise ArtifactError("the artifact's library does not say what it was compiled with", hint=_AGAIN)
    content = library.bytes_of(SYMBOL)
    if len(content) != len(_MARK) + 3 * _BYTES or not content.startswith(_MARK):
        raise ArtifactError("the artifact's library was made by another version of spqc", hint=_AGAIN)
    own, settings, constants = (content[len(_MARK) + i * _BYTES :][:_BYTES] for i in range(3))
    if own != _own_hash(library.content, library.exports[SYMBOL].offset + len(_MARK)):
        raise ArtifactError("the compiled library was changed after it was linked", hint=_AGAIN)
    return Seal(settings, constants)


def _own_hash(library: bytes, place: int) -> bytes:
    """Return the hash of a library without the bytes at `place`, where it stands."""
    total = hashlib.sha256(library[:place])
    total.update(library[place + _BYTES :])
    return total.digest()
