"""Streams: clients that know nothing of each other, plain `step` for one client, and copies of artifacts."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.layers import one_layer
from support.small_artifact import PATIENCE_S, TARGETS, contents, inputs

import spqc
from spqc.foundation.errors import InputError, UsageError
from spqc.runtime.session import Artifact


@pytest.fixture(params=TARGETS)
def artifact(request: pytest.FixtureRequest) -> Artifact:
    return Artifact(contents(request.param))


def elsewhere(task: Callable[[], None]) -> list[BaseException]:
    """Run a task in another thread; return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            task()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    return raised


def test_clients_that_take_turns_each_get_their_own(artifact: Artifact) -> None:
    """Three streams of other batch sizes, and plain `step` beside them."""
    batches = [inputs(samples, samples) for samples in (1, 4, 4, 7)]
    wanted = [artifact.run(x) for x in batches]
    streams = [artifact.stream() for _ in batches[1:]]
    for t in range(artifact.steps):
        np.testing.assert_array_equal(artifact.step(batches[0][:, t]), wanted[0][:, t])
        for stream, x, logits in zip(streams, batches[1:], wanted[1:], strict=True):
            np.testing.assert_array_equal(stream.step(x[:, t]), logits[:, t])
            assert (stream.samples, stream.step_count) == (len(x), t + 1)
    streams[0].reset()
    assert (streams[0].samples, streams[0].step_count) == (None, 0)
    np.testing.assert_array_equal(streams[0].step(batches[3][:, 0]), wanted[3][:, 0])
    np.testing.assert_array_equal(artifact.run(batches[2]), wanted[2])


def test_clients_in_threads_each_get_their_own(artifact: Artifact) -> None:
    together, wrong = threading.Barrier(4), []
    batches = [inputs(samples, samples) for samples in (1, 2, 5, 40)]
    wanted = [artifact.run(x) for x in batches]

    def client(x: Any, logits: Any) -> None:
        stream = artifact.stream()
        together.wait(PATIENCE_S)
        for _ in range(10):
            stream.reset()
            right = [np.array_equal(stream.step(x[:, t]), logits[:, t]) for t in range(artifact.steps)]
            wrong.extend([] if all(right) else [len(x)])

    threads = [threading.Thread(target=client, args=pair) for pair in zip(batches, wanted, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not wrong


def test_plain_step_belongs_to_the_thread_that_began(artifact: Artifact) -> None:
    mine, other = inputs(2, 1), inputs(2, 2)
    wanted = artifact.run(mine)
    np.testing.assert_array_equal(artifact.step(mine[:, 0]), wanted[:, 0])
    (error,) = elsewhere(lambda: artifact.step(other[:, 0]) and None)
    assert isinstance(error, UsageError) and "artifact.stream()" in error.hint
    np.testing.assert_array_equal(artifact.step(mine[:, 1]), wanted[:, 1])  # nothing was lost

    def take_over() -> None:
        artifact.reset()
        np.testing.assert_array_equal(artifact.step(other[:, 0]), artifact.run(other)[:, 0])

    assert not elsewhere(take_over)
    with pytest.raises(UsageError, match="middle of this stream"):
        artifact.step(mine[:, 2])
    artifact.reset()
    np.testing.assert_array_equal(artifact.step(mine[:, 0]), wanted[:, 0])


def test_plain_step_belongs_to_the_task_that_began() -> None:
    artifact = Artifact(contents("reference"))
    x = inputs(1, 1)
    failed = []

    async def client(name: str) -> None:
        try:
            for t in range(artifact.steps):
                artifact.step(x[:, t])
                await asyncio.sleep(0)
        except UsageError:
            failed.append(name)

    async def both() -> None:
        await asyncio.gather(client("a"), client("b"))

    asyncio.run(both())
    assert failed == ["b"]


def test_batches_at_a_time_from_two_threads_never_mix(artifact: Artifact) -> None:
    """`reset` and `step` of 1 and of 400 samples at a time: each call is right, or a clear error."""
    batches = {samples: inputs(samples, samples)[:, 0] for samples in (1, 400)}
    wanted = {samples: artifact.run(inputs(samples, samples))[:, 0] for samples in (1, 400)}
    wrong: list[object] = []

    def client(samples: int) -> None:
        for _ in range(60):
            artifact.reset()
            try:
                found = artifact.step(batches[samples])
            except UsageError:
                continue
            if not np.array_equal(found, wanted[samples]):
                wrong.append(samples)

    threads = [threading.Thread(target=client, args=(samples,)) for samples in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not wrong


@pytest.mark.parametrize("plain", [True, False])
def test_another_batch_needs_a_reset(artifact: Artifact, plain: bool) -> None:
    stream: Any = artifact if plain else artifact.stream()
    x, wanted = inputs(3, 0), artifact.run(inputs(3, 0))
    stream.step(x[:, 0])
    with pytest.raises(InputError, match="holds 3 samples, but the frame 2"):
        stream.step(x[:2, 1])
    np.testing.assert_array_equal(stream.step(x[:, 1]), wanted[:, 1])
    stream.reset()
    np.testing.assert_array_equal(stream.step(x[:2, 0]), wanted[:2, 0])


@pytest.mark.parametrize(
    "frame", [np.zeros((0, 3, 5, 5), np.uint8), np.zeros((2, 3, 5), np.uint8), 1, np.full(9, None)]
)
def test_a_frame_that_does_not_fit_begins_nothing(artifact: Artifact, frame: Any) -> None:
    stream, x = artifact.stream(), inputs(2, 0)
    for each in (artifact, stream):
        with pytest.raises(InputError):
            each.step(frame)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(each.step(x[:, 0]), artifact.run(x)[:, 0])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((2, 3, 5, 4), np.uint8),
        np.zeros((0, 3, 5, 5), np.uint8),
        np.zeros((2, 3, 5, 5)),
        np.full((2, 3, 5, 5), 256),
        np.full((2, 3, 5, 5), -1),
        np.zeros((), np.uint8),
    ],
    ids=["shape", "empty", "floats", "large", "negative", "scalar"],
)
def test_the_executor_itself_refuses_what_does_not_fit(frame: Any) -> None:
    executor = Artifact(contents("llvm")).executor
    window = np.repeat(frame[:, None], 5, axis=1) if frame.ndim else frame
    calls: list[Callable[[], Any]] = [lambda: executor.step(frame), lambda: executor.run(window)]
    for call in [*calls, lambda: executor.trace(window)]:
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.uint16, ">i4"])
def test_other_integers_and_orders_are_carried_over(dtype: Any) -> None:
    artifact, x = Artifact(contents("llvm")), inputs(3, 0)
    wanted = artifact.executor.run(x)
    other = x.astype(dtype)
    spread, turned = np.repeat(other, 2, axis=0)[::2], np.ascontiguousarray(other[..., ::-1])[..., ::-1]
    for given in (other, np.asfortranarray(other), spread, turned):
        np.testing.assert_array_equal(artifact.executor.run(given), wanted)
        np.testing.assert_array_equal(artifact.executor.trace(given).logits, wanted)
        stream = artifact.executor.stream(3)
        for t in range(artifact.steps):
            np.testing.assert_array_equal(stream.step(given[:, t]), wanted[:, t])


@pytest.mark.parametrize("threads", [1, 3])
def test_huge_batches_are_divided(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With regions of 4 KB: two or three samples a call."""
    from spqc.targets.llvm.execution import workspace

    target = "llvm" if threads == 1 else "llvm{threads=3}"
    x = inputs(40, 0)
    wanted = Artifact(contents(target)).run(x)
    monkeypatch.setattr(workspace, "_STAGE_BYTES", 1 << 12)
    artifact = Artifact(contents(target))
    np.testing.assert_array_equal(artifact.run(x), wanted)
    stream, other = artifact.stream(), artifact.stream()
    for t in range(artifact.steps):
        np.testing.assert_array_equal(stream.step(x[:, t]), wanted[:, t])
        other.load_state(stream.state())
    assert other.state() == stream.state()


@pytest.mark.parametrize(
    ("samples", "threads", "most", "stages"),
    [
        (5, 1, 2, [[2], [2], [1]]),
        (4, 1, 2, [[2], [2]]),
        (13, 2, 3, [[3, 3], [3, 3], [1]]),
        (16, 3, 2, [[2, 2, 2], [2, 2, 2], [1, 1, 1], [1]]),
        (2, 3, 1, [[1], [1]]),
    ],
)
def test_shares_have_a_limit(samples: int, threads: int, most: int, stages: list[list[int]]) -> None:
    pytest.importorskip("tvm")
    from spqc.targets.llvm.execution.workspace import shares

    assert shares(samples, threads, most) == stages


def test_verify_leaves_a_stream_as_it_was(artifact: Artifact) -> None:
    x = inputs(2, 0)
    wanted = artifact.run(x)
    artifact.step(x[:, 0])
    assert spqc.verify(one_layer(3, 5, 5), artifact=artifact, samples=3).equal
    np.testing.assert_array_equal(artifact.step(x[:, 1]), wanted[:, 1])


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_an_artifact_can_be_copied(artifact: Artifact, used: bool, copied: Callable[[Artifact], Artifact]) -> None:
    x = inputs(2, 0)
    if used:
        artifact.run(x)
        artifact.step(x[:, 0])
    twin = copied(artifact)
    wanted = artifact.run(x)
    np.testing.assert_array_equal(twin.run(x), wanted)
    np.testing.assert_array_equal(twin.step(x[:, 0]), wanted[:, 0])
    assert twin.executor is not artifact.executor
    assert (twin.target, twin.label, str(twin.graph)) == (artifact.target, artifact.label, str(artifact.graph))
    one, other = artifact.stream(), twin.stream()
    one.step(x[:, 0])
    other.load_state(one.state())
    np.testing.assert_array_equal(other.step(x[:, 1]), wanted[:, 1])


def test_a_loaded_artifact_can_be_pickled(tmp_path: Path) -> None:
    Artifact(contents("reference")).save(tmp_path / "net.spqc")
    loaded = spqc.load(tmp_path / "net.spqc")
    twin = pickle.loads(pickle.dumps(loaded))
    twin.save(tmp_path / "twin.spqc")
    assert (tmp_path / "twin.spqc").read_bytes() == (tmp_path / "net.spqc").read_bytes()
