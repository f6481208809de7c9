"""Compile: a model through a target's pipeline and lowerings into an artifact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy.typing as npt

from spqc.commands.advice import advice_for
from spqc.commands.sources import Model, read_model
from spqc.foundation.errors import GraphError, ModelError, UsageError
from spqc.foundation.options import format_call
from spqc.ir import Graph
from spqc.ir.axis_order import AxisOrder
from spqc.ir.program import Program
from spqc.plugins import pipeline, registry
from spqc.plugins.target import Emitter
from spqc.runtime.artifact import Contents
from spqc.runtime.session import Artifact


def compile_model(
    model: Any,
    target: str | Emitter = "llvm",
    passes: str | None = None,
    dump: Path | None = None,
    calibrate: npt.ArrayLike | str | Path | None = None,
    records: str | Path | None = None,
    layout: AxisOrder | None = None,
    frontend: str | None = None,
) -> Artifact:
    """Return the artifact of a model; see `spqc.api.compile`."""
    chosen = target_of(target)
    read = read_model(model, frontend)
    text = pipeline.expand(chosen.pipeline() if passes is None else passes, {"default": chosen.pipeline()})
    graph, log = _optimise(read, chosen, text, dump)
    programs = lowered(graph, chosen, dump)
    binary = chosen.emit(graph, programs, advice_for(graph, calibrate, records, layout))
    source = {"model": Path(read.source.label).name, "sha256": read.graph.digest()}
    contents = Contents(
        format_call(chosen.name, chosen),
        text,
        source,
        graph,
        binary.files,
        json.loads(json.dumps(dict(binary.settings))),
        _report(read.graph, graph, log, programs) | json.loads(json.dumps(dict(binary.report))),
    )
    return Artifact(contents, read.source.label)


def optimised(model: Any, target: str | Emitter = "llvm", frontend: str | None = None) -> Graph:
    """Return the graph of a model after the passes of a target; nothing is built."""
    chosen = target_of(target)
    return _optimise(read_model(model, frontend), chosen, pipeline.expand(chosen.pipeline()), None)[0]


def lowered(graph: Graph, target: str | Emitter = "llvm", dump: Path | None = None) -> dict[str, Program]:
    """Return the lowered forms that a target wants of an optimised graph."""
    return {name: _lower(graph, name, passes, dump) for name, passes in target_of(target).lowerings().items()}


def target_of(target: str | Emitter) -> Emitter:
    """Return the target that a text such as `llvm{threads=2}` describes."""
    if isinstance(target, Emitter):
        return target
    created: Emitter = registry.create("targets", target)
    return created


def _optimise(read: Model, target: Emitter, text: str, dump: Path | None) -> tuple[Graph, pipeline.Run]:
    log = pipeline.Run(read.graph)
    try:
        finished = pipeline.run(read.graph, pipeline.parse(text), dump, log)
    except GraphError:
        _refuse_unsupported(read, target, log.latest)
        raise
    if not isinstance(finished, Graph):
        raise UsageError(
            "the passes of a compilation end with a graph; the target lowers it by itself", hint=f"passes: {text}"
        )
    _refuse_unsupported(read, target, finished)
    return finished, log


def _refuse_unsupported(read: Model, target: Emitter, graph: Graph) -> None:
    """Raise ModelError with every operator that the target cannot run, all at once."""
    lines = target.check(graph)
    if not lines:
        return
    shown = "".join(f"\n  - {line}" for line in lines)
    what = "1 operator is" if len(lines) == 1 else f"{len(lines)} operators are"
    raise ModelError(
        f"{what} not supported by target '{format_call(target.name, target)}':{shown}",
        read.source.label,
        f"`spqc list targets {target.name}` describes the target; the target 'reference' runs every operator",
    )


def _lower(graph: Graph, name: str, passes: str, dump: Path | None) -> Program:
    program = pipeline.run(graph, pipeline.parse(passes), dump / name if dump else None)
    if not isinstance(program, Program):
        raise UsageError(f"the lowering '{name}' gives no program", hint=f"passes: {passes}")
    return program


def _report(before: Graph, after: Graph, log: pipeline.Run, programs: dict[str, Program]) -> dict[str, Any]:
    """Return what can be counted without a clock, so that the same model gives the same artifact."""
    return {
        "operators": {"before": len(before.ops), "after": len(after.ops)},
        "weight_bits": sum(v.type.size * v.type.bits for v in after.constants),
        "state_bits": sum(v.type.size * v.type.bits for v in after.states),
        "passes": [{"pass": stage.text, "changed": stage.changed} for stage in log.stages],
        "programs": {
            name: {"kernels": len(p.kernels), "mode": p.mode, "arena_bytes": p.arena_bytes}
            for name, p in programs.items()
        },
    }
