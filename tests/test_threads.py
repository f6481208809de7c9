"""Several threads: the same integers as one, each thread on cores of its own, and the caller's cores as they were."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_graphs import random_codes
from test_llvm import check, one_layer
from test_lookup import two_layers

import spqc
from spqc.ir import Graph

pytest.importorskip("tvm")

from spqc.targets.llvm.cores import TASK, Cores, share

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or os.cpu_count() == 1, reason="there are no cores to deal out here"
)


def odd_network() -> Graph:
    """Return convolutions whose rows, columns and vectors of channels no number of threads divides."""
    weight = np.random.default_rng(3).integers(-1, 2, (5 * 16 + 3, 21, 3, 3))
    return two_layers(weight, size=(10, 14), steps=3, pool="max", padding=1)


def in_new_thread(work: Callable[[], None]) -> None:
    """Run with a pool of its own: TVM keeps one for each thread that calls, with the size of its first use."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("strategy", ["dense", "events", "lookup", "slices", "sparse"])
def test_odd_shapes_are_exact(strategy: str, threads: int) -> None:
    in_new_thread(lambda: check(odd_network(), f"llvm{{strategy={strategy} threads={threads}}}", 0))


@pytest.mark.parametrize(("cores", "threads"), [({0, 1}, 2), ({3, 5, 8}, 2), (set(range(7)), 3), ({4}, 1)])
def test_cores_are_dealt_out(cores: set[int], threads: int) -> None:
    shares = [share(cores, place, threads) for place in range(threads)]
    assert set().union(*shares) == cores and sum(map(len, shares)) == len(cores)
    assert all(shares)


def test_fewer_cores_than_threads_are_shared() -> None:
    assert [share({2, 6}, place, 3) for place in range(3)] == [{2, 6}] * 3


def places(cores: Cores) -> list[set[int]]:
    """Return the cores that each thread of the pool may use while it computes."""
    found: dict[int, set[int]] = {}

    def look(task: int, group: Any, _: Any) -> int:
        found[task] = os.sched_getaffinity(0)
        return 0

    with cores:
        cores.launch(TASK(look), None, 0)
    return [found[task] for task in sorted(found)]


@needs_affinity
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_compute_apart_and_the_caller_gets_its_cores_back(threads: int) -> None:
    before = os.sched_getaffinity(0)

    def work() -> None:
        executor = spqc.compile(one_layer(3, 5, 5), f"llvm{{threads={threads}}}").executor
        executor.run(next(iter(random_codes(one_layer(3, 5, 5), 1, 0).values())))
        assert os.sched_getaffinity(0) == before
        seen = places(executor.native._cores)  # TVM starts no more threads than there are cores
        assert 1 < len(seen) <= threads
        assert seen == [share(before, place, len(seen)) for place in range(len(seen))]
        assert os.sched_getaffinity(0) == before

    in_new_thread(work)


@needs_affinity
def test_a_caller_that_moves_takes_its_threads_along() -> None:
    """Cores that were taken away, as by `taskset -p`, are left alone, also by threads that already run."""

    def work() -> None:
        executor = spqc.compile(one_layer(3, 5, 5), "llvm{threads=2}").executor
        cores = executor.native._cores
        assert len(places(cores)) == 2
        one = {min(os.sched_getaffinity(0))}
        os.sched_setaffinity(0, one)
        assert places(cores) == [one, one]
        assert os.sched_getaffinity(0) == one

    in_new_thread(work)
