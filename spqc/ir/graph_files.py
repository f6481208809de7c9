"""Graphs on disk: `net.tg`, and `net.npz` beside it with the arrays of its constants; dumps and reproducers too."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np

from spqc.foundation.files import write_atomic
from spqc.ir import Graph
from spqc.ir.program import Program


def write_arrays(path: Path, graph: Graph) -> None:
    """Write `path` (.tg) and the constants beside it, so that reading returns an equal graph. Raises OutputError."""
    GraphFiles().write(path, graph)


class GraphFiles:
    """Writes graphs one after another; those with the same arrays share one file of them (a hard link)."""

    def __init__(self) -> None:
        self._written: tuple[Path, tuple[tuple[str, int], ...], Graph] | None = None

    def write(self, path: Path, module: Graph | Program, head: str = "") -> None:
        """Write a graph or a program, and its arrays, behind `head`: lines of comments.

        Constants without an array are left out. Raises OutputError.
        """
        graph = module.graph if isinstance(module, Program) else module
        write_atomic(path, (head + str(module)).encode())
        if any(v.name in graph.data for v in graph.constants):
            self._write_arrays(path.with_suffix(".npz"), graph)

    def _write_arrays(self, path: Path, graph: Graph) -> None:
        arrays = {v.name: graph.data[v.name] for v in graph.constants if v.name in graph.data}
        same = tuple((name, id(array)) for name, array in arrays.items())
        if self._written is not None and self._written[1] == same and _linked(self._written[0], path):
            return
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_atomic(path, buffer.getvalue())
        self._written = path, same, graph  # the graph too, as an identity holds only while its array lives


def _linked(source: Path, path: Path) -> bool:
    """Return whether `path` is now another name of `source`; some file systems have none."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        os.link(source, path)
        return True
    return False
