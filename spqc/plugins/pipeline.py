"""Pipelines: the text `a,b{key=value},c` as passes, and a run that verifies, times, dumps and explains a crash."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spqc.foundation.errors import GraphError, InternalError, OutputError, SpqcError
from spqc.foundation.options import format_call
from spqc.ir import Graph, verify
from spqc.ir.graph_files import GraphFiles
from spqc.ir.program import Program
from spqc.plugins import registry

from .passes import Module, Pass

_LOG = logging.getLogger(__name__)

ALIASES: dict[str, str] = {"none": ""}
"""Named pipelines; `default` is added by whoever knows the target."""


@dataclass(frozen=True)
class Stage:
    """One pass of a run: its text, how long it took, and whether it changed the module."""

    text: str
    seconds: float
    changed: bool


@dataclass
class Run:
    """What a pipeline did; `latest` is the last graph that was reached, also when a pass failed."""

    latest: Graph
    stages: list[Stage] = field(default_factory=list)


def split(text: str) -> list[str]:
    """Return the calls of a pipeline text, split at the commas outside braces."""
    calls, depth = [""], 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            calls.append("")
        else:
            calls[-1] += letter
    return [call.strip() for call in calls if call.strip()]


def expand(text: str, aliases: Mapping[str, str] | None = None) -> str:
    """Return the pipeline with every alias replaced by what it stands for."""
    known = {**ALIASES, **(aliases or {})}
    return ",".join(known.get(call, call) for call in split(text) if known.get(call, call))


def parse(text: str, aliases: Mapping[str, str] | None = None) -> list[Pass]:
    """Return the passes of a pipeline text; UsageError names an unknown pass, option or value."""
    return [registry.create("passes", call) for call in split(expand(text, aliases))]


def format_pipeline(passes: Iterable[Pass]) -> str:
    """Return the text that parses to these passes."""
    return ",".join(format_call(one.name, one) for one in passes)


def graph_of(module: Module) -> Graph:
    """Return the graph, or the graph that a program was cut from."""
    return module.graph if isinstance(module, Program) else module


def run(graph: Graph, passes: Iterable[Pass], dump: Path | None = None, log: Run | None = None) -> Module:
    """Return the module after all passes, each verified and timed; `log` is filled as it goes.

    `dump` is a folder for the text after every pass. InternalError names the reproducer of a pass that crashed or
    broke the graph; a SpqcError that a pass raises on purpose comes through as it is.
    """
    log = log or Run(graph)
    files = GraphFiles()
    _dump(files, dump, 0, "input", graph)
    module: Module = verify(graph)
    again = _Again(graph, [])
    remaining = list(passes)
    while remaining:
        one = remaining[0]
        started = time.perf_counter()
        result = _run_one(one, module, again.behind(module, remaining), dump)
        text = format_call(one.name, one)
        log.stages.append(Stage(text, time.perf_counter() - started, result is not module))
        _LOG.info("%s: %.1f ms%s", text, log.stages[-1].seconds * 1e3, "" if result is not module else ", no change")
        _dump(files, dump, len(log.stages), one.name, result)
        again = _Again(result, []) if isinstance(result, Graph) else _Again(again.graph, [*again.done, one])
        module, log.latest = result, graph_of(result)
        remaining.pop(0)
    return module


@dataclass(frozen=True)
class _Again:
    """How to come to a module again: a text holds graphs, so that a program is its last graph and the passes since."""

    graph: Graph
    done: list[Pass]

    def behind(self, module: Module, remaining: list[Pass]) -> _Again:
        return _Again(module if isinstance(module, Graph) else self.graph, [*self.done, *remaining])


def _run_one(one: Pass, module: Module, again: _Again, dump: Path | None) -> Module:
    try:
        result = one.run(module)
    except (SpqcError, MemoryError):
        raise
    except Exception as error:
        summary = f"pass '{one.name}' crashed: {type(error).__name__}: {error}"
        raise _crash(summary, again, dump) from error
    try:
        verify(graph_of(result))
    except GraphError as error:
        summary = f"pass '{one.name}' broke the graph: {error.message}"
        raise _crash(summary, again, dump) from error
    return result


def _crash(summary: str, again: _Again, dump: Path | None) -> InternalError:
    head = f"// pipeline: {format_pipeline(again.done)}\n// {' '.join(summary.split())}\n"
    try:
        path = Path(dump or tempfile.mkdtemp(prefix="spqc-")) / "reproducer.tg"
        GraphFiles().write(path, again.graph, head)
    except (OSError, OutputError) as error:
        reason = error.message if isinstance(error, OutputError) else error
        return InternalError(summary, hint=f"no reproducer was written: {reason}")
    return InternalError(summary, hint=f"please report it with the reproducer {path} and the .npz beside it")


def _dump(files: GraphFiles, folder: Path | None, index: int, name: str, module: Module) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(folder / f"{index:02d}-{name}.tg", module)
    except (OSError, OutputError) as error:
        reason = error.message if isinstance(error, OutputError) else error.strerror
        raise OutputError(f"cannot write dumps to '{folder}': {reason}", hint="give a folder you may write") from None
