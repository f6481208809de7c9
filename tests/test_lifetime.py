"""What an artifact holds is given back: by `close`, by `with`, or when nobody has it any more; forks find it usable."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_graphs import random_codes
from test_llvm import one_layer

import spqc
from spqc.errors import UsageError
from spqc.runtime.artifact import Contents
from spqc.runtime.session import Artifact

pytest.importorskip("tvm")

from spqc.targets.llvm.workspace import _KEPT, Stage

PATIENCE_S = 60
TARGETS = ["reference", "llvm", "llvm{threads=3}"]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@cache
def contents(target: str) -> Contents:
    return spqc.compile(one_layer(3, 5, 5), target).contents


@pytest.fixture(params=TARGETS)
def artifact(request: pytest.FixtureRequest) -> Artifact:
    return Artifact(contents(request.param))


def inputs(samples: int, seed: int = 0) -> Any:
    return next(iter(random_codes(one_layer(3, 5, 5), samples, seed).values()))


def libraries() -> list[str]:
    """Return the mapped pieces of compiled libraries."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if "/spqc-" in line]


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def use(artifact: Artifact, x: Any) -> Any:
    """Run a network in every way; return what it gave."""
    artifact.trace(x)
    artifact.step(x[:, 0])
    stream = artifact.stream()
    stream.step(x[:, 0])
    stream.state()
    return artifact.run(x)


@needs_linux
@pytest.mark.parametrize("target", ["llvm", "llvm{threads=3}"])
@pytest.mark.parametrize("close", [True, False], ids=["closed", "dropped"])
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
    (space,) = artifact.executor.engine.spaces
    assert len(space._bound) == _KEPT


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
    opened = artifact._opened

    def slowly() -> Any:
        time.sleep(0.05)
        return opened()

    monkeypatch.setattr(artifact, "_opened", slowly)

    def first() -> None:
        together.wait(PATIENCE_S)
        seen.append(artifact.executor)

    callers = [threading.Thread(target=first) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE_S)
    assert len(seen) == 4 and len(set(map(id, seen))) == 1


def in_child(task: Callable[[], bool]) -> int:
    """Fork; return the exit code of a child in which the task gives True (0), False (3), or an error (4)."""
    child = os.fork()
    if child == 0:
        code = 4
        try:
            signal.alarm(PATIENCE_S // 2)  # a child that hangs is ended, and seen
            code = 0 if task() else 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def busy(artifact: Artifact) -> Iterator[tuple[Artifact, Any, Any]]:
    """An artifact that another thread runs all the time, with an input and its logits."""
    x, stop = inputs(64), threading.Event()
    wanted = artifact.run(x)

    def work() -> None:
        while not stop.is_set():
            artifact.run(x)

    worker = threading.Thread(target=work)
    worker.start()
    yield artifact, x, wanted
    stop.set()
    worker.join(PATIENCE_S)


@needs_fork
def test_a_fork_while_another_thread_runs_hangs_nobody(busy: tuple[Artifact, Any, Any]) -> None:
    artifact, x, wanted = busy
    for _ in range(10):
        assert in_child(lambda: np.array_equal(use(artifact, x), wanted)) == 0
        time.sleep(0.003)
    np.testing.assert_array_equal(artifact.run(x), wanted)


@needs_fork
def test_a_child_may_close_what_its_parent_runs(busy: tuple[Artifact, Any, Any]) -> None:
    artifact, x, wanted = busy
    assert in_child(lambda: artifact.close() is None) == 0
    assert in_child(lambda: np.array_equal(Artifact(artifact.contents).run(x), wanted)) == 0
    np.testing.assert_array_equal(artifact.run(x), wanted)


@needs_fork
@pytest.mark.parametrize("entry", ["run", "session", "plain", "opening"])
def test_locks_that_a_lost_thread_held_are_free_in_a_child(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread is held in the middle of a call, so that the fork is there for certain."""
    artifact, x = Artifact(contents("llvm")), inputs(2)
    wanted = artifact.run(x)
    stream = artifact.stream()
    stream.step(x[:, 0])
    saved = stream.state()
    inside, go_on = threading.Event(), threading.Event()
    whole = Stage.run
    fresh = Artifact(contents("reference"))
    opened = fresh._opened

    def held(*arguments: Any) -> Any:
        inside.set()
        assert go_on.wait(PATIENCE_S)
        return whole(*arguments)

    def held_opening() -> Any:
        inside.set()
        assert go_on.wait(PATIENCE_S)
        return opened()

    calls: dict[str, Callable[[], object]] = {
        "run": lambda: artifact.run(x),
        "session": lambda: stream.step(x[:, 1]),
        "plain": lambda: artifact.step(x[:, 0]),
        "opening": lambda: fresh.executor,
    }
    monkeypatch.setattr(Stage, "run", held)
    monkeypatch.setattr(fresh, "_opened", held_opening)
    caller = threading.Thread(target=calls[entry])
    caller.start()
    assert inside.wait(PATIENCE_S)

    def child() -> bool:
        monkeypatch.undo()
        artifact.reset()
        right = np.array_equal(use(artifact, x), wanted) and np.array_equal(fresh.run(x), wanted)
        if entry == "session":
            try:
                stream.step(x[:, 1])
                return False
            except UsageError:
                stream.load_state(saved)
        return right and np.array_equal(stream.step(x[:, 1]), wanted[:, 1])

    code = in_child(child)
    go_on.set()
    caller.join(PATIENCE_S)
    assert code == 0
