"""What a comparison proves: orders, batches, streams and memory, each by an executor that is wrong there only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.random_graphs import Maker

import spqc
from spqc.commands.doctor import tiny_graph
from spqc.foundation.errors import UsageError
from spqc.ir import Array
from spqc.runtime.samples import random_codes
from spqc.runtime.stress import stress_codes
from spqc.targets.reference.executor import ReferenceExecutor, ReferenceStream

Run = Callable[..., Any]
X = random_codes(tiny_graph(), 5, 0).x


def wrong(logits: Array) -> Array:
    changed = np.array(logits)
    changed[-1] += 1
    return changed


class Stale(ReferenceExecutor):
    """The second run of an input differs: something of the first was left."""

    runs = 0

    def run(self, x: Array) -> Array:
        self.runs += 1
        return wrong(super().run(x)) if self.runs > 1 else super().run(x)


class Neighbour(ReferenceExecutor):
    """A sample depends on the one before it in its batch."""

    def run(self, x: Array) -> Array:
        return wrong(super().run(x)) if len(x) > 1 and x[-2].sum() < x[-1].sum() else super().run(x)


class Alone(ReferenceExecutor):
    """Small batches are wrong."""

    def run(self, x: Array) -> Array:
        return wrong(super().run(x)) if len(x) == 2 else super().run(x)


class WrongStream(ReferenceStream):
    """Every step is wrong."""

    def step(self, frame: Array) -> Array:
        return wrong(super().step(frame))


class Streams(ReferenceExecutor):
    """Every stream but the first is wrong."""

    streams = 0

    def stream(self, samples: int) -> ReferenceStream:
        self.streams += 1
        return (WrongStream if self.streams > 1 else ReferenceStream)(self.graph, samples)


class Traces(ReferenceExecutor):
    """The second trace is wrong."""

    traces = 0

    def trace(self, x: Array) -> Any:
        self.traces += 1
        seen = super().trace(x)
        if self.traces > 1:
            seen.states["features.0"][0] += 1
        return seen


class Dirty(ReferenceExecutor):
    """Relies on memory that it never wrote, which is 0 by luck unless somebody fills it."""

    memory = 0

    def dirty(self, seed: int | None) -> None:
        self.memory = 0 if seed is None else 1 + seed

    def run(self, x: Array) -> Array:
        return super().run(x) + (self.memory > 0)


@pytest.mark.parametrize("executor", [Stale, Neighbour, Alone, Streams, Traces, Dirty])
def test_each_kind_of_fault_is_found(executor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = spqc.compile(tiny_graph(), "reference")
    monkeypatch.setattr("spqc.targets.reference.Reference.open", lambda package: executor(package.graph))
    x = X[np.argsort(X.reshape(len(X), -1).sum(axis=1))[::-1]] if executor is Neighbour else X
    report = spqc.verify(tiny_graph(), artifact=artifact, x=x)
    assert not report.equal and report.first_mismatch is not None
    assert report.dirty_memory is (executor is Dirty)


def test_the_report_says_how_much_was_run() -> None:
    ran: dict[str, int] = {"run": 0, "trace": 0, "stream": 0}

    class Counting(ReferenceExecutor):
        def run(self, x: Array) -> Array:
            ran["run"] += len(x)
            return super().run(x)

        def trace(self, x: Array) -> Any:
            ran["trace"] += len(x)
            return super().trace(x)

        def stream(self, samples: int) -> ReferenceStream:
            ran["stream"] += samples
            return super().stream(samples)

    artifact = spqc.compile(tiny_graph(), "reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spqc.targets.reference.Reference.open", lambda package: Counting(package.graph))
        report = spqc.verify(tiny_graph(), artifact=artifact, x=X)
        assert report.equal and report.inferences == sum(ran.values()) == 30
        assert report.orders == 2 and spqc.verify(tiny_graph(), artifact=artifact, x=X[:1]).orders == 1


def test_a_compiled_library_runs_on_garbage() -> None:
    report = spqc.verify(tiny_graph(), "llvm", x=X)
    assert report.equal and report.dirty_memory


def test_a_stream_of_the_caller_goes_on() -> None:
    artifact, alone = (spqc.compile(tiny_graph(), "reference") for _ in range(2))
    frames = X[:, 0], X[:, 1]
    wanted = [alone.step(frame) for frame in frames]
    first = artifact.step(frames[0])
    assert spqc.verify(tiny_graph(), artifact=artifact, x=X[:3]).equal
    np.testing.assert_array_equal([first, artifact.step(frames[1])], wanted)


def test_another_models_artifact_is_named_before_any_spike(tmp_path: Path, spqc: Run, tiny: Path) -> None:
    arrays = dict(np.load("tiny.npz"))
    Path("other.tg").write_text(tiny.read_text())
    np.savez("other.npz", **{name: -array if array.dtype.kind == "i" else array for name, array in arrays.items()})
    assert spqc("compile", "other.tg", "--target", "reference", "-o", "net.spqc").code == 0
    outcome = spqc("verify", "tiny.tg", "net.spqc")
    assert outcome.code == 2 and outcome.out == ""
    assert "compiled from another network ('other.tg')" in outcome.err and "hint:" in outcome.err
    assert spqc("verify", "other.tg", "net.spqc").code == 0


@pytest.mark.parametrize("seed", range(4))
def test_stress_inputs(seed: int) -> None:
    graph = Maker(seed).graph()
    codes = np.concatenate(list(stress_codes(graph, 90, 3)))
    assert codes.shape == (90, graph.steps, *graph.inputs[0].type.shape) and codes.dtype == np.uint8
    density = (codes != 0).reshape(90, -1).mean(axis=1)
    single = 1 / codes[0].size if graph.inputs[0].type.clock == "step" else graph.steps / codes[0].size
    assert (density[0::5] == 0).all() and (density[3::5] == 1).all() and np.allclose(density[4::5], single)
    assert (density[1::5] < 0.2).all() and 0.2 < density[2::5].mean() < 0.8
    np.testing.assert_array_equal(codes[:70], np.concatenate(list(stress_codes(graph, 70, 3))))
    assert (codes != np.concatenate(list(stress_codes(graph, 90, 4)))).any()
    if graph.inputs[0].type.clock != "step":
        assert (codes == codes[:, :1]).all()


def test_stress_from_the_command_line(spqc: Run, tiny: Path) -> None:
    outcome = spqc("verify", "tiny.tg", "--target", "reference", "--stress", 70, "--seed", 9, "--json")
    report = json.loads(outcome.out)
    assert (
        outcome.code == 0 and report["samples"] == 70 and report["inferences"] == 420 and "(seed 9)" in report["inputs"]
    )
    for wrong_use in (["--samples", 3], ["--input", "x.npy"]):
        np.save("x.npy", X)
        assert spqc("verify", "tiny.tg", "--stress", 3, *wrong_use).code == 2
    for value in (0, -1):
        assert spqc("verify", "tiny.tg", "--stress", value).code == 2
    assert spqc("verify", "tiny.tg", "--seed", -1).code == 2


def test_progress_counts_samples() -> None:
    done: list[int] = []
    spqc.verify(tiny_graph(), "reference", stress=130, progress=done.append)
    assert done == [64, 128, 130]


def test_stress_draws_its_own_inputs() -> None:
    with pytest.raises(UsageError, match="draws its own"):
        spqc.verify(tiny_graph(), "reference", stress=2, x=X)
