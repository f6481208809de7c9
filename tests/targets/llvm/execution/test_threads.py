"""Several threads: the same integers as one, work that is shared, and threads that keep out of everyone's way."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.exact import check
from support.layers import one_layer, two_layers
from support.random_graphs import random_codes

import spqc
from spqc.foundation.errors import ArtifactError
from spqc.ir import Graph

pytest.importorskip("tvm")

from spqc.targets.llvm.execution.workspace import shares
from spqc.targets.llvm.loader.native import Library, _Record

PATIENCE_S = 20.0
STRATEGIES = ["dense", "events", "lookup", "slices", "sparse"]

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or os.cpu_count() == 1, reason="there are no cores to deal out here"
)


def odd_network() -> Graph:
    """Return convolutions whose rows, columns and vectors of channels no number of threads divides."""
    weight = np.random.default_rng(3).integers(-1, 2, (5 * 16 + 3, 21, 3, 3))
    return two_layers(weight, size=(10, 14), steps=3, pool="max", padding=1)


def inputs_of(graph: Graph, samples: int) -> Any:
    return next(iter(random_codes(graph, samples, 0).values()))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_odd_shapes_are_exact(strategy: str, threads: int) -> None:
    check(odd_network(), f"llvm{{strategy={strategy} threads={threads}}}", 0)


@pytest.mark.parametrize("size", [(16, 32), (18, 17)])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_maps_of_several_chunks_are_exact(strategy: str, size: tuple[int, int]) -> None:
    """Threads take chunks of a map, and all of it where two chunks share pooled pixels."""
    weight = np.random.default_rng(5).integers(-1, 2, (40, 16, 3, 3))
    graph = two_layers(weight, size=size, steps=4, pool="max", padding=1)
    check(graph, f"llvm{{strategy={strategy} threads=2}}", 1)


@pytest.mark.parametrize(
    ("samples", "threads", "stages"),
    [
        (5, 1, [[5]]),
        (1, 2, [[1]]),
        (2, 2, [[1, 1]]),
        (16, 2, [[8, 8]]),
        (7, 3, [[2, 2, 2], [1]]),
        (2, 3, [[2]]),
    ],
)
def test_batches_are_divided(samples: int, threads: int, stages: list[list[int]]) -> None:
    assert shares(samples, threads) == stages


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 8])
def test_batches_on_threads_are_exact(samples: int) -> None:
    graph = odd_network()
    one, three = (spqc.compile(graph, f"llvm{{threads={n}}}") for n in (1, 3))
    x = inputs_of(graph, samples)
    expected = one.executor.run(x)
    for _ in range(2):  # the second time everything is bound already
        np.testing.assert_array_equal(three.executor.run(x), expected)
    for step in range(x.shape[1]):
        frame = x[:, step]
        np.testing.assert_array_equal(three.executor.step(frame), one.executor.step(frame))
    three.reset()
    np.testing.assert_array_equal(three.executor.step(x[:, 0]), expected[:, 0])


TASK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)
LAUNCH = ctypes.CFUNCTYPE(ctypes.c_int32, TASK, ctypes.c_void_p, ctypes.c_int32)


def executor_of(threads: int) -> Any:
    graph = one_layer(3, 5, 5)
    executor = spqc.compile(graph, f"llvm{{threads={threads}}}").executor
    executor.run(inputs_of(graph, 1))
    return executor


def on_pool(executor: Any, task: Callable[[int], None]) -> int:
    """Run a parallel loop as a compiled function does; return what the call says of it."""
    library = executor.native._library
    launch = ctypes.cast(ctypes.c_void_p.in_dll(library, "__TVMBackendParallelLaunch"), LAUNCH)
    failures: list[BaseException] = []

    def one(number: int, *_: Any) -> int:
        try:
            task(number)
        except BaseException as error:
            failures.append(error)
            return 1
        return 0

    body = TASK(one)
    inside = FUNCTION(lambda *_: launch(body, None, 0))
    record = _Record(ctypes.cast(inside, ctypes.c_void_p), None, 0, None)
    code = int(library.spqc_run(ctypes.byref(record), 1))
    for failure in failures:
        raise failure
    return code


@pytest.mark.parametrize("threads", [2, 3])
def test_every_task_is_done_once_by_all_threads(threads: int) -> None:
    together, done = threading.Barrier(threads), []

    def task(number: int) -> None:
        done.append(number)
        if len(done) <= threads:
            together.wait(PATIENCE_S)  # passed only if so many threads are in it at a time

    assert on_pool(executor_of(threads), task) == 0
    assert sorted(done) == list(range(4 * threads))


def test_a_thread_that_is_slow_holds_nobody_up() -> None:
    """What it has not begun, others do: here one task waits for all the rest, also those of its own thread."""
    others, left = threading.Event(), list(range(7))
    first = threading.Lock()

    def task(number: int) -> None:
        if first.acquire(blocking=False):
            assert others.wait(PATIENCE_S)
            return
        left.pop()
        if not left:
            others.set()

    assert on_pool(executor_of(2), task) == 0


def test_a_task_that_fails_fails_its_call() -> None:
    def task(number: int) -> None:
        if number == 5:
            raise ZeroDivisionError

    executor = executor_of(2)
    with pytest.raises(ZeroDivisionError):
        on_pool(executor, task)
    assert on_pool(executor, lambda number: None) == 0


def test_threads_sleep_when_there_is_nothing_to_do() -> None:
    executor = executor_of(3)
    time.sleep(0.2)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.25  # two threads that spin would take a second
    assert on_pool(executor, lambda number: None) == 0


@needs_affinity
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_leave_the_caller_its_core(threads: int) -> None:
    before, caller = os.sched_getaffinity(0), threading.get_native_id()
    seen: dict[int, set[int]] = {}
    together = threading.Barrier(threads)

    def task(number: int) -> None:
        if threading.get_native_id() not in seen:
            seen[threading.get_native_id()] = os.sched_getaffinity(0)
            together.wait(PATIENCE_S)

    on_pool(executor_of(threads), task)
    assert seen.pop(caller) == before == os.sched_getaffinity(0)
    assert len(seen) == threads - 1
    for cores in seen.values():
        assert cores < before if len(before) >= threads else cores == before


@needs_affinity
def test_a_caller_that_moves_takes_its_threads_along() -> None:
    """Cores that were taken away, as by `taskset -p`, are left alone, also by threads that already run."""
    executor, seen = executor_of(2), []
    before = os.sched_getaffinity(0)
    for core in sorted(before):
        os.sched_setaffinity(0, {core})
        try:
            on_pool(executor, lambda number: seen.append(os.sched_getaffinity(0)))
        finally:
            os.sched_setaffinity(0, before)
        assert seen and all(cores == {core} for cores in seen)
        seen.clear()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    graph = odd_network()
    executor = spqc.compile(graph, "llvm{threads=2}").executor
    x = inputs_of(graph, 3)
    expected = executor.run(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(executor.run(x), expected) else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(executor.run(x), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_does_not_finish_what_others_had_begun() -> None:
    """The fork is in the middle of a loop; the child's new threads leave its tasks alone."""
    graph = odd_network()
    executor = spqc.compile(graph, "llvm{threads=2}").executor
    x = inputs_of(graph, 3)
    expected = executor.run(x)
    inside, go_on, done = threading.Event(), threading.Event(), []

    def task(number: int) -> None:
        done.append(number)
        inside.set()
        assert go_on.wait(PATIENCE_S)

    caller = threading.Thread(target=on_pool, args=(executor, task))
    caller.start()
    assert inside.wait(PATIENCE_S)
    time.sleep(0.05)  # both threads are held
    child = os.fork()
    if child == 0:
        begun = len(done)
        signal.alarm(int(PATIENCE_S))
        right = all(np.array_equal(executor.run(x), expected) for _ in range(20))
        os._exit(0 if right and len(done) == begun else 3)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    go_on.set()
    caller.join(PATIENCE_S)
    assert code == 0 and sorted(done) == list(range(8))


def test_callers_at_a_time_do_not_disturb_each_other() -> None:
    graph = odd_network()
    executor = spqc.compile(graph, "llvm{threads=2}").executor
    inputs = [inputs_of(graph, n) for n in (1, 2, 3, 4)]
    expected = [executor.run(x) for x in inputs]
    wrong: list[int] = []

    def call(index: int) -> None:
        found = [executor.run(inputs[index]) for _ in range(30)]
        wrong.extend(index for logits in found if not np.array_equal(logits, expected[index]))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(len(inputs))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_a_library_without_threads_is_refused() -> None:
    code = spqc.compile(one_layer(3, 5, 5), "llvm").contents.package().files["model.so"]
    with pytest.raises(ArtifactError, match="threads"):
        Library(code, 2)
