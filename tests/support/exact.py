"""Run, trace and step of what is compiled, beside the interpreter."""

from __future__ import annotations

import spqc
from spqc.ir import Array, Graph

from .comparison import compare
from .random_graphs import random_codes


def check(graph: Graph, target: str, seed: int) -> None:
    """Assert that run, trace and step equal the interpreter on three samples."""
    check_on(graph, target, random_codes(graph, 3, seed)[graph.inputs[0].name])


def check_on(graph: Graph, target: str, codes: Array) -> None:
    """Assert that run, trace and step equal the interpreter on given samples."""
    done = compare(graph, spqc.compile(graph, target).executor, codes)
    assert not done.differences
