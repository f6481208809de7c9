"""Targets that are not a CPU: one that only emits, one whose clock is modelled, one that cannot be tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
from support.random_graphs import Maker

import spqc
from spqc.commands import doctor
from spqc.commands.tune import tunable
from spqc.contracts import Advice, Binary, Emitter, Executor, Package, Priced, Target, Tunable
from spqc.errors import Unavailable, UsageError
from spqc.ir import Graph
from spqc.ir.program import Program
from spqc.plugins import registry
from spqc.targets.llvm import Llvm
from spqc.targets.reference import Reference
from spqc.targets.reference.executor import ReferenceExecutor


@dataclass(frozen=True)
class Text(Emitter):
    """Writes the graph as text."""

    name: ClassVar[str] = "text"

    def pipeline(self) -> str:
        return "remove-dead"

    def check(self, graph: Graph) -> list[str]:
        return []

    def emit(self, graph: Graph, programs: Mapping[str, Program], advice: Advice) -> Binary:
        return Binary({"net.txt": str(graph).encode()})


class SimulatedExecutor(ReferenceExecutor):
    """The interpreter in the place of a machine."""

    clock: ClassVar[Literal["wall", "modelled"]] = "modelled"

    def counters(self) -> Mapping[str, float]:
        return {"cycles": 12.0}


@dataclass(frozen=True)
class Simulated(Target, Text):
    """Runs a simulator."""

    name: ClassVar[str] = "simulated"

    @classmethod
    def open(cls, package: Package) -> Executor:
        return SimulatedExecutor(package.graph)


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the registry know both."""
    load, available = registry.load, registry.available
    mine = {"text": Text, "simulated": Simulated}
    extra = {name: f"{__name__}:{name}" for name in mine}
    monkeypatch.setattr(registry, "available", lambda kind: available(kind) | (extra if kind == "targets" else {}))
    monkeypatch.setattr(registry, "load", lambda kind, name: mine.get(name) or load(kind, name))


def test_what_only_emits_is_compiled_and_saved_but_does_not_run(tmp_path: Path) -> None:
    artifact = spqc.compile(Maker(1).graph(1), Text(), records="none")
    artifact.save(tmp_path / "a.spqc")
    loaded = spqc.load(tmp_path / "a.spqc")
    assert loaded.contents.files["net.txt"].startswith(b"graph net")
    with pytest.raises(Unavailable) as caught:
        loaded.run(np.zeros((1, *loaded.graph.inputs[0].type.shape), np.uint8))
    assert caught.value.message == "target 'text' only emits files: nothing here runs them"


def test_a_simulator_s_time_is_not_measured() -> None:
    graph = Maker(1).graph(1)
    artifact = spqc.compile(graph, Simulated(), records="none")
    assert artifact.executor.counters() == {"cycles": 12.0}
    with pytest.raises(UsageError, match="runs in a simulator"):
        spqc.bench(artifact, repeats=1)


def test_an_executor_counts_nothing_unless_it_says_so() -> None:
    artifact = spqc.compile(Maker(1).graph(1), Reference(), records="none")
    assert artifact.executor.clock == "wall" and artifact.executor.counters() == {}


def test_the_doctor_compiles_for_what_only_emits() -> None:
    checks = doctor._target("text")
    assert [(check.state, check.name) for check in checks] == [("ok", "compiling for text")]


def test_who_can_be_tuned_is_named() -> None:
    assert tunable(Llvm()) == Llvm()
    with pytest.raises(UsageError) as caught:
        tunable(Text())
    assert caught.value.message == "target 'text' has nothing to tune"
    assert caught.value.hint == "targets that can be tuned: llvm"


def test_abilities_are_protocols() -> None:
    assert isinstance(Llvm(), Tunable) and isinstance(Llvm(), Priced)
    assert not isinstance(Reference(), Tunable) and not isinstance(Reference(), Priced)
