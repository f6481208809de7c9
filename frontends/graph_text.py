"""Temporal graphs as text: `net.tg`, its constants beside it in `net.npz`."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from spqc.foundation.arrays import HEADER_BYTES, BadArray, parse_array
from spqc.foundation.errors import ModelError
from spqc.foundation.zips import BadZip, Zip
from spqc.ir import Array, Graph, Value, parse_graph
from spqc.ir.graph_files import write_arrays
from spqc.plugins.frontend import Frontend, Match, Observation, Source
from spqc.runtime.observe import observe_graph

__all__ = ["PLUGIN", "GraphText", "read_arrays", "write_arrays"]
LARGEST_TEXT = 16 << 20
"""More bytes than the text of any network takes."""
_WIDEST = 8  # bytes of an element: constants are saved in the types that they are computed in
_EXTENSION = ".npy"
_HEADER = re.compile(r"graph \w+\(%|program \w+ mode=")


class GraphText(Frontend):
    """Reads the compiler's own text form; its framework is the interpreter."""

    name: ClassVar[str] = "graph-text"

    @classmethod
    def matches(cls, source: Source) -> Match:
        if isinstance(source.model, Graph):
            return Match.sure("a graph")
        if source.path is None:
            return Match.no(f"a {type(source.model).__name__} is no graph")
        named_so = source.path.suffix == ".tg"
        if _begins_a_graph(source.head()):
            return Match.sure("the text of a graph") if named_so else Match.likely("a text that begins as a graph does")
        if named_so:
            return Match.unsure("its name ends in .tg, though it does not begin as a graph does")
        return Match.no("its name does not end in .tg, and it does not begin as a graph does")

    def load(self, source: Source) -> Graph:
        if isinstance(source.model, Graph):
            return source.model
        if source.path is None:
            raise ModelError("a graph is read from a .tg file", source.label)
        bare = parse_graph(read_text(source.path, source.label), path=source.label)
        data = read_arrays(source.path.with_suffix(".npz"), bare.constants) if bare.constants else {}
        return replace(bare, data=data)

    def observe(self, source: Source, x: Array) -> Observation:
        return observe_graph(self.load(source), x)


def _begins_a_graph(head: bytes) -> bool:
    """Return whether the first line that is no comment is the header of a graph or a program."""
    lines = (line.strip() for line in head.decode(errors="replace").splitlines())
    first = next((line for line in lines if line and not line.startswith("//")), "")
    return _HEADER.match(first) is not None


def read_text(path: Path, label: str) -> str:
    """Return the text of a graph; ModelError where the file is none, or too long for one."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)
        if len(content) > LARGEST_TEXT:
            raise ModelError(f"the file has more than {LARGEST_TEXT} bytes, and is no text of a graph", label)
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the file cannot be read as text: {error}", label) from None


def read_arrays(path: Path, constants: Iterable[Value] | None = None) -> dict[str, Array]:
    """Return the arrays of a .npz file, those of `constants` alone where given; never unpickles.

    No array takes more memory than its constant needs. ModelError for a missing or foreign file, or a missing array.
    """
    try:
        archive = Zip(path.read_bytes())
        if constants is None:
            names = (name for name in archive.sizes if name.endswith(_EXTENSION))
            return {name.removesuffix(_EXTENSION): _array(archive, name, archive.sizes[name]) for name in names}
        return {value.name: _constant(archive, value, path) for value in constants}
    except FileNotFoundError:
        hint = "the constants of a .tg file lie beside it under the same name"
        raise ModelError("the arrays of the constants are missing", str(path), hint) from None
    except (OSError, BadZip, BadArray) as error:
        raise ModelError(f"the arrays of the constants cannot be read: {error}", str(path)) from None


def _constant(archive: Zip, value: Value, path: Path) -> Array:
    name = value.name + _EXTENSION
    if name not in archive.sizes:
        raise ModelError(f"the array of the constant '{value.name}' is missing", str(path), "write both files again")
    array = _array(archive, name, value.type.size * _WIDEST + HEADER_BYTES)
    if array.shape != value.type.shape:
        raise ModelError(f"the constant '{value.name}' is {value.type}, its array {list(array.shape)}", str(path))
    if array.dtype.kind not in ("f" if value.type.encoding == "float" else "biu"):
        raise ModelError(f"the constant '{value.name}' is {value.type}, its array of {array.dtype}", str(path))
    return array


def _array(archive: Zip, name: str, ceiling: int) -> Array:
    content = archive.read(name, ceiling)
    try:
        return parse_array(io.BytesIO(content), len(content))
    except BadArray as error:
        raise BadArray(f"'{name.removesuffix(_EXTENSION)}': {error}") from None


PLUGIN = GraphText
