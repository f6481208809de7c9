"""What is inside a model or an artifact: signature, layers, sizes, parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spqc.commands.sources import read_model
from spqc.ir import Graph, Op
from spqc.ir.ops import Conv, Linear
from spqc.runtime.artifact import describe
from spqc.runtime.session import Artifact


@dataclass(frozen=True)
class OperatorRow:
    """One operator: its layer in the user's model, its result, and the constants it reads.

    density: the share of its weights that are not zero; None for an operator without weights.
    """

    operator: str
    origin: str
    result: str
    constants: str
    weight_bytes: int
    density: float | None = None


@dataclass(frozen=True)
class Inspection:
    """A model or an artifact in numbers; `facts` are the artifact's manifest, empty for a model."""

    kind: str
    path: str
    name: str
    steps: int
    input: str
    output: str
    weights: int
    weight_bytes: int
    state_bytes: int
    file_bytes: int
    operators: list[OperatorRow] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)


def inspect_path(path: str | Path, frontend: str | None = None) -> Inspection:
    """Return what a file holds; ArtifactError or ModelError where it cannot be read. `frontend` reads it as a model."""
    if Path(path).suffix == ".spqc" and frontend is None:
        artifact = Artifact.load(path)
        contents = artifact.contents
        parts = {name: len(content) for name, content in sorted(contents.files.items())}
        facts = describe(contents) | {"spqc": contents.manifest.get("spqc", "")}
        return _inspect("artifact", path, artifact.graph, facts, dict(contents.report), parts)
    return _inspect("model", path, read_model(path, frontend).graph, {}, {}, {})


def _inspect(
    kind: str, path: str | Path, graph: Graph, facts: dict[str, Any], report: dict[str, Any], parts: dict[str, int]
) -> Inspection:
    return Inspection(
        kind,
        str(path),
        graph.name,
        graph.steps,
        str(graph.inputs[0].type),
        str(graph.outputs[0].type),
        sum(v.type.size for v in graph.constants),
        _bytes(v.type.size * v.type.bits for v in graph.constants),
        _bytes(v.type.size * v.type.bits for v in graph.states),
        Path(path).stat().st_size,
        [_row(graph, index) for index in range(len(graph.ops))],
        facts,
        report,
        parts,
    )


def _row(graph: Graph, index: int) -> OperatorRow:
    op = graph.ops[index]
    names = {v.name for v in graph.constants}
    constants = [v for v in op.inputs if v.name in names]
    return OperatorRow(
        op.name,
        op.origin,
        str(op.out.type),
        ", ".join(str(v.type) for v in constants),
        _bytes(v.type.size * v.type.bits for v in constants),
        _density(graph, op),
    )


def _density(graph: Graph, op: Op) -> float | None:
    if not isinstance(op, Conv | Linear) or op.inputs[1].name not in graph.data:
        return None
    return round(float(np.count_nonzero(graph.data[op.inputs[1].name]) / op.type_of(1).size), 4)


def _bytes(bits: Iterable[int]) -> int:
    return -(-sum(bits) // 8)
