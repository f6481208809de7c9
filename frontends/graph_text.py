"""Temporal graphs as text: `net.tg`, its constants beside it in `net.npz`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from spqc.contracts import Frontend, Observation, Source
from spqc.errors import ModelError
from spqc.ir import Array, Graph, parse_graph
from spqc.runtime.observe import observe_graph


class GraphText(Frontend):
    """Reads the compiler's own text form; its framework is the interpreter."""

    name: ClassVar[str] = "graph-text"

    @classmethod
    def matches(cls, source: Source) -> bool:
        return isinstance(source.model, Graph) or (source.path is not None and source.path.suffix == ".tg")

    def load(self, source: Source) -> Graph:
        if isinstance(source.model, Graph):
            return source.model
        if source.path is None:
            raise ModelError("a graph is read from a .tg file", source.label)
        try:
            text = source.path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"the file cannot be read as text: {error}", source.label) from None
        bare = parse_graph(text, path=source.label)
        return parse_graph(text, read_arrays(source.path.with_suffix(".npz")) if bare.constants else {}, source.label)

    def observe(self, source: Source, x: Array) -> Observation:
        return observe_graph(self.load(source), x)


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a .npz file; never unpickles. ModelError for a missing or foreign file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        hint = "the constants of a .tg file lie beside it under the same name"
        raise ModelError("the arrays of the constants are missing", str(path), hint) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ModelError(f"the arrays of the constants cannot be read: {error}", str(path)) from None


def write_arrays(path: Path, graph: Graph) -> None:
    """Write `path` (.tg) and the constants beside it, so that `load` returns an equal graph."""
    path.write_text(str(graph))
    np.savez(path.with_suffix(".npz"), allow_pickle=False, **{v.name: graph.data[v.name] for v in graph.constants})


PLUGIN = GraphText
