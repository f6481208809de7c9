"""What an artifact holds is given back: by `close`, by `with`, or when nobody has it any more."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.small_artifact import PATIENCE_S, TARGETS, contents, inputs, use

import spqc
from spqc.foundation.errors import UsageError
from spqc.plugins.executor import Package
from spqc.runtime.session import Artifact
from spqc.targets.reference import Reference

pytest.importorskip("tvm")

from spqc.targets.llvm.execution.workspace import _KEPT

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(params=TARGETS)
def artifact(request: pytest.FixtureRequest) -> Artifact:
    return Artifact(contents(request.param))


def libraries() -> list[str]:
    """Return the mapped pieces of compiled libraries."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in lines if "memfd:spqc" in line or "/spqc-" in line]


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@needs_linux
@pytest.mark.parametrize("target", ["llvm", pytest.param("llvm{threads=3}", marks=pytest.mark.slow)])
@pytest.mark.parametrize("close", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["closed", "dropped"])
def test_loads_leave_nothing_behind(target: str, close: bool, tmp_path: Path) -> None:
    Artifact(contents(target)).save(tmp_path / "net.spqc")
    x = inputs(4)
    gc.collect()
    before, running = libraries(), threads()

    def once() -> None:
        artifact = spqc.load(tmp_path / "net.spqc")
        use(artifact, x)
        assert len(libraries()) > len(before)
        if close:
            artifact.close()

    for _ in range(150):
        once()
    resident = resident_mb()
    for _ in range(250):
        once()
        assert libraries() == before  # at once: nothing waits for the collector of cycles
        assert threads() == running
    assert resident_mb() - resident < 6  # a library and its memory, kept, are more than 0.03 MB each


@needs_linux
def test_a_library_stays_while_a_stream_needs_it() -> None:
    gc.collect()
    before = libraries()
    stream = Artifact(contents("llvm")).stream()
    x = inputs(2)
    wanted = Artifact(contents("llvm")).run(x)
    np.testing.assert_array_equal(stream.step(x[:, 0]), wanted[:, 0])
    assert libraries() != before
    del stream
    assert libraries() == before


def test_memory_of_few_batch_sizes_is_kept() -> None:
    artifact: Any = Artifact(contents("llvm"))
    for samples in (*range(1, 40), 2000):
        wanted = artifact.run(inputs(samples))
        np.testing.assert_array_equal(artifact.run(inputs(samples)), wanted)
    assert [len(space._bound) for space in artifact.executor.engine.spaces] in ([_KEPT], [_KEPT, _KEPT])


ENTRIES: dict[str, Callable[[Artifact, Any], object]] = {
    "run": lambda artifact, x: artifact.run(x),
    "predict": lambda artifact, x: artifact.predict(x),
    "trace": lambda artifact, x: artifact.trace(x),
    "observe": lambda artifact, x: artifact.observe(x),
    "step": lambda artifact, x: artifact.step(x[:, 0]),
    "reset": lambda artifact, x: artifact.reset(),
    "stream": lambda artifact, x: artifact.stream(),
    "executor": lambda artifact, x: artifact.executor,
    "api": lambda artifact, x: spqc.run(artifact, x),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_closed_artifact_says_so(artifact: Artifact, entry: str) -> None:
    use(artifact, inputs(2))
    artifact.close()
    artifact.close()
    with pytest.raises(UsageError, match="was closed") as raised:
        ENTRIES[entry](artifact, inputs(2))
    assert raised.value.hint


def test_streams_of_a_closed_artifact_say_so(artifact: Artifact) -> None:
    stream, x = artifact.stream(), inputs(2)
    stream.step(x[:, 0])
    saved = stream.state()
    artifact.close()
    calls: list[Callable[[], object]] = [lambda: stream.step(x[:, 1]), stream.state, lambda: stream.load_state(saved)]
    for call in calls:
        with pytest.raises(UsageError, match="was closed"):
            call()


def test_an_executor_of_a_closed_artifact_says_so() -> None:
    artifact = Artifact(contents("llvm{threads=3}"))
    executor, x = artifact.executor, inputs(2)
    stream = executor.stream(2)
    artifact.close()
    calls: list[Callable[[], object]] = [
        lambda: executor.run(x),
        lambda: executor.trace(x),
        lambda: executor.step(x[:, 0]),
        lambda: executor.stream(2),
        lambda: stream.step(x[:, 0]),
        stream.states,
        lambda: stream.restore({}),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="was closed"):
            call()
    executor.close()


def test_an_artifact_that_was_never_used_is_closed_too(artifact: Artifact, tmp_path: Path) -> None:
    artifact.close()
    with pytest.raises(UsageError, match="was closed"):
        artifact.run(inputs(1))
    artifact.save(tmp_path / "net.spqc")  # what was compiled is still there
    with spqc.load(tmp_path / "net.spqc") as again:
        assert again.run(inputs(1)).shape == (1, 5, 7)
    with pytest.raises(UsageError, match="was closed"):
        again.run(inputs(1))


def test_closing_waits_for_calls_of_other_threads() -> None:
    for _ in range(5):
        artifact = Artifact(contents("llvm{threads=3}"))
        x, unexpected = inputs(50), []
        wanted = artifact.run(x)

        def work(artifact: Artifact = artifact, x: Any = x, wanted: Any = wanted, told: list[Any] = unexpected) -> None:
            try:
                while True:
                    if not np.array_equal(artifact.run(x), wanted):
                        told.append("wrong logits")
            except UsageError as error:
                told.extend([] if "closed" in error.message else [error])

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        time.sleep(0.02)
        artifact.close()
        for worker in workers:
            worker.join(PATIENCE_S)
            assert not worker.is_alive()
        assert not unexpected


def test_threads_that_come_first_open_one_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = Artifact(contents("reference"))
    together, seen = threading.Barrier(4), []
    opened = Reference.open

    def slowly(package: Package) -> Any:
        time.sleep(0.05)
        return opened(package)

    monkeypatch.setattr(Reference, "open", slowly)

    def first() -> None:
        together.wait(PATIENCE_S)
        seen.append(artifact.executor)

    callers = [threading.Thread(target=first) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE_S)
    assert len(seen) == 4 and len(set(map(id, seen))) == 1
