"""Random networks through the whole path: compiled, saved, loaded, run, traced, stepped, and verified exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.random_graphs import Maker

import spqc
from spqc.ir import Graph
from spqc.runtime.observe import layers, observe_graph
from spqc.runtime.samples import random_codes

SEEDS = range(6)


@pytest.fixture
def graph(request: pytest.FixtureRequest) -> Graph:
    return Maker(request.param).graph()


@pytest.mark.parametrize(
    "target", ["reference", "reference{optimise=true}", pytest.param("llvm", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("graph", SEEDS, indirect=True)
def test_the_whole_path_is_exact(graph: Graph, target: str, tmp_path: Path) -> None:
    spqc.compile(graph, target, out=tmp_path / "net.spqc")
    report = spqc.verify(graph, artifact=tmp_path / "net.spqc", samples=5, seed=3)
    assert report.equal, report.first_mismatch
    assert report.compared_spikes > 0 and report.compared_logits == 5 * graph.steps * 5
    assert report.target == target


@pytest.mark.parametrize("graph", SEEDS, indirect=True)
def test_trace_and_logits_are_the_interpreters(graph: Graph) -> None:
    codes = random_codes(graph, 4, 1).x
    artifact, wanted = spqc.compile(graph, "reference"), observe_graph(graph, codes)
    found = artifact.trace(codes)
    assert list(found) == layers(graph)
    for name, (spikes, states) in found.items():
        np.testing.assert_array_equal(spikes, wanted.spikes[name])
        np.testing.assert_array_equal(states, wanted.states[name])
    scale = np.float32(graph.outputs[0].type.scale)
    np.testing.assert_array_equal(artifact.run(codes), wanted.logits.astype(np.float32) * scale)


def test_a_single_frame_is_repeated() -> None:
    graph = next(
        g for g in (Maker(seed).graph() for seed in range(20)) if g.inputs[0].type.clock == "step" and g.steps > 1
    )
    artifact = spqc.compile(graph, "reference")
    frame = random_codes(graph, 3, 0).x[:, 0]
    repeated = np.repeat(frame[:, None], graph.steps, axis=1)
    np.testing.assert_array_equal(artifact.run(frame), artifact.run(repeated))


def test_levels_come_from_the_notes() -> None:
    from dataclasses import replace

    from spqc.commands.doctor import tiny_graph

    graph = replace(
        tiny_graph(), notes=(*tiny_graph().notes, ("levels.features.0", "-1.5|0|1.5"), ("low.features.0", "-1"))
    )
    codes = random_codes(graph, 20, 0).x
    (_, states), seen = spqc.compile(graph, "reference").trace(codes)["features.0"], observe_graph(graph, codes)
    np.testing.assert_array_equal(states, 1.5 * seen.states["features.0"])
    assert set(np.unique(states)) <= {-1.5, 0.0, 1.5}


def test_a_lying_target_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from spqc.commands.doctor import tiny_graph
    from spqc.targets.reference.executor import ReferenceStream

    honest = ReferenceStream.step
    monkeypatch.setattr(ReferenceStream, "step", lambda self, frame: honest(self, frame) + 1)
    report = spqc.verify(tiny_graph(), "reference", samples=3)
    assert not report.equal and report.mismatched_logits == report.compared_logits and report.mismatched_spikes == 0
    assert report.first_mismatch is not None and report.first_mismatch.step == 0
    assert report.first_mismatch.between == ("interpreter", "reference step by step")
