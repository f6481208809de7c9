"""A process that is forked while other threads run a network: the child hangs nowhere, and computes the same."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.small_artifact import PATIENCE_S, TARGETS, contents, inputs, use

from spqc.foundation.errors import UsageError
from spqc.plugins.executor import Package
from spqc.runtime.session import Artifact
from spqc.targets.reference import Reference

pytest.importorskip("tvm")

from spqc.targets.llvm.execution.workspace import Stage

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")


@pytest.fixture(params=TARGETS)
def artifact(request: pytest.FixtureRequest) -> Artifact:
    return Artifact(contents(request.param))


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
    opened = Reference.open

    def held(*arguments: Any) -> Any:
        inside.set()
        assert go_on.wait(PATIENCE_S)
        return whole(*arguments)

    def held_opening(package: Package) -> Any:
        inside.set()
        assert go_on.wait(PATIENCE_S)
        return opened(package)

    calls: dict[str, Callable[[], object]] = {
        "run": lambda: artifact.run(x),
        "session": lambda: stream.step(x[:, 1]),
        "plain": lambda: artifact.step(x[:, 0]),
        "opening": lambda: fresh.executor,
    }
    monkeypatch.setattr(Stage, "run", held)
    monkeypatch.setattr(Reference, "open", held_opening)
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
