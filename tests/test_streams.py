"""Streams: clients that know nothing of each other, states to save and to load, and plain `step` for one client."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_graphs import Maker, random_codes
from test_integer_neurons import network
from test_llvm import one_layer

import spqc
from spqc.errors import InputError, SpqcError, UsageError
from spqc.ir import Graph
from spqc.runtime.artifact import Contents
from spqc.runtime.saved_state import MAGIC
from spqc.runtime.session import Artifact
from spqc.runtime.stream import StreamSession
from spqc.targets.reference.executor import ReferenceStream

PATIENCE_S = 60.0
TARGETS = ["reference", "llvm", "llvm{threads=3}"]
N_BATCH = 4


@cache
def contents(target: str) -> Contents:
    if target.startswith("llvm"):
        pytest.importorskip("tvm")
    return spqc.compile(one_layer(3, 5, 5), target).contents


@pytest.fixture(params=TARGETS)
def artifact(request: pytest.FixtureRequest) -> Artifact:
    return Artifact(contents(request.param))


def codes_of(graph: Graph, samples: int, seed: int) -> Any:
    codes = next(iter(random_codes(graph, samples, seed).values()))
    static = graph.inputs[0].type.clock == "const"
    return np.repeat(codes[:, None], graph.steps, axis=1) if static else codes


def inputs(samples: int, seed: int) -> Any:
    return codes_of(one_layer(3, 5, 5), samples, seed)


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
    from spqc.targets.llvm import workspace

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
    from spqc.targets.llvm.workspace import shares

    assert shares(samples, threads, most) == stages


GRAPHS: dict[str, Callable[[], Graph]] = {
    "integrate": lambda: network(1, "integrate"),
    "current": lambda: network(1, "current"),
    **{f"seed{seed}": (lambda seed=seed: Maker(seed).graph(3)) for seed in (100, 101, 104, 105)},  # type: ignore[misc]
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("target", ["llvm", "llvm{threads=2}"])
def test_the_states_of_a_stream_are_the_interpreters(name: str, target: str) -> None:
    pytest.importorskip("tvm")
    artifact = spqc.compile(GRAPHS[name](), target)
    x = codes_of(artifact.graph, 5, 3)
    stream, wanted = artifact.executor.stream(5), ReferenceStream(artifact.graph, 5)
    moved = artifact.executor.stream(5)
    for t in range(artifact.steps):
        logits = wanted.step(x[:, t])
        moved.restore(stream.states())
        np.testing.assert_array_equal(stream.step(x[:, t]), logits)
        np.testing.assert_array_equal(moved.step(x[:, t]), logits)
        found = stream.states()
        assert list(found) == list(wanted.states()) and found
        for state, codes in wanted.states().items():
            np.testing.assert_array_equal(found[state], codes, err_msg=f"{state} after step {t}")


def test_a_saved_stream_goes_on_in_another_process_target_and_number_of_threads(tmp_path: Path) -> None:
    x = inputs(N_BATCH, 0)
    wanted = Artifact(contents("llvm")).run(x)
    Artifact(contents("llvm{threads=3}")).save(tmp_path / "net.spqc")
    stream = Artifact(contents("llvm")).stream()
    for t in range(2):
        stream.step(x[:, t])
    (tmp_path / "state").write_bytes(stream.state())
    np.save(tmp_path / "x.npy", x)
    code = """if True:
        import numpy as np, spqc
        stream = spqc.load("net.spqc").stream()
        stream.load_state(open("state", "rb").read())
        assert (stream.samples, stream.step_count) == (4, 2)
        x = np.load("x.npy")
        np.save("y.npy", np.stack([stream.step(x[:, t]) for t in range(2, 5)], axis=1))
    """
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), wanted[:, 2:])


def test_a_stream_that_has_not_begun_is_saved_too(artifact: Artifact) -> None:
    stream, x = artifact.stream(), inputs(2, 0)
    fresh = stream.state()
    stream.step(x[:, 0])
    assert stream.state() != fresh
    stream.load_state(fresh)
    assert (stream.samples, stream.step_count) == (None, 0)
    np.testing.assert_array_equal(stream.step(x[:, 0]), artifact.run(x)[:, 0])


def test_loading_takes_the_batch_of_the_saved_stream(artifact: Artifact) -> None:
    small, large = artifact.stream(), artifact.stream()
    small.step(inputs(1, 0)[:, 0])
    large.step(inputs(N_BATCH, 1)[:, 0])
    small.load_state(bytearray(large.state()))
    wanted = artifact.run(inputs(N_BATCH, 1))
    np.testing.assert_array_equal(small.step(inputs(N_BATCH, 1)[:, 1]), wanted[:, 1])


def begun(artifact: Artifact) -> StreamSession:
    stream = artifact.stream()
    stream.step(inputs(N_BATCH, 0)[:, 0])
    return stream


def signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def refused(stream: StreamSession, content: Any, message: str) -> None:
    before = stream.state()
    with pytest.raises(InputError, match=message) as raised:
        stream.load_state(content)
    assert raised.value.hint
    assert stream.state() == before


def test_bytes_that_are_no_state_are_refused(artifact: Artifact) -> None:
    stream = begun(artifact)
    good = stream.state()
    body = good[:-32]
    refused(stream, None, "is bytes, not NoneType")
    refused(stream, "text", "is bytes, not str")
    for other in (b"", pickle.dumps({"a": 1}), good[1:], b"PK\x03\x04" + good):
        refused(stream, other, "no saved state")
    for cut in (len(MAGIC), 20, 60, len(good) - 1):
        refused(stream, good[:cut], "cut off|hash")
    refused(stream, good + b"\0", "hash")
    refused(stream, signed(body + b"\0"), "bytes of states")
    refused(stream, signed(body[:-1]), "bytes of states")
    refused(stream, signed(MAGIC + struct.pack("<I", 2) + body[12:]), "version 2; this spqc reads 1")
    for samples in (0, N_BATCH + 1, 2**32 - 1):
        refused(stream, signed(body[:12] + struct.pack("<I", samples) + body[16:]), "bytes of states")
    refused(stream, signed(body[:12] + bytes(4) + body[16:56]), "counts steps, but no samples")
    refused(stream, signed(body[:24] + bytes(32) + body[56:]), "of another network")


def test_the_state_of_another_network_is_refused() -> None:
    other = spqc.compile(one_layer(2, 5, 5), "reference").stream()
    other.step(codes_of(one_layer(2, 5, 5), N_BATCH, 0)[:, 0])
    refused(begun(Artifact(contents("reference"))), other.state(), "of another network")


def test_every_changed_byte_is_noticed(artifact: Artifact) -> None:
    stream = begun(artifact)
    good = stream.state()
    for place in range(0, len(good), 7):
        refused(stream, good[:place] + bytes([good[place] ^ 0x40]) + good[place + 1 :], "damaged|version|no saved")


def test_states_that_no_neuron_has_are_refused(artifact: Artifact) -> None:
    """With the hash made right again: of two bits a state, the code -2 is none of -1, 0, 1."""
    stream = begun(artifact)
    body = bytearray(stream.state()[:-32])
    body[56] = 0b10
    refused(stream, signed(bytes(body)), r"lies in -1\.\.1, and it holds -2")


@pytest.mark.parametrize("target", ["llvm", "llvm{threads=3}"])
def test_mutated_states_are_refused_or_run(target: str) -> None:
    """A thousand of them, signed again: an error, or states that the network can be in."""
    artifact = Artifact(contents(target))
    stream, rng = begun(artifact), np.random.default_rng(0)
    good, frame = stream.state()[:-32], inputs(N_BATCH, 0)[:, 1]
    loaded = 0
    for _ in range(1000):
        body = bytearray(good)
        for place in rng.integers(0, len(body), rng.integers(1, 4)):
            body[place] = rng.integers(256)
        try:
            stream.load_state(signed(bytes(body)))
        except InputError:
            continue
        loaded += 1
        stream.step(frame)
    assert 0 < loaded < 1000


def test_a_step_that_was_cut_in_two_is_not_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tvm")
    from spqc.targets.llvm.native import Calls

    artifact = Artifact(contents("llvm"))
    stream, x = begun(artifact), inputs(N_BATCH, 0)
    saved = stream.state()

    def interrupted(calls: Calls) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Calls, "__call__", interrupted)
        stream.step(x[:, 1])
    calls: list[Callable[[], Any]] = [stream.state, lambda: stream.step(x[:, 1])]
    for call in calls:
        with pytest.raises(UsageError, match="middle of a step"):
            call()
    stream.load_state(saved)
    np.testing.assert_array_equal(stream.step(x[:, 1]), artifact.run(x)[:, 1])


def test_verify_leaves_a_stream_as_it_was(artifact: Artifact) -> None:
    x = inputs(2, 0)
    wanted = artifact.run(x)
    artifact.step(x[:, 0])
    assert spqc.verify(one_layer(3, 5, 5), artifact=artifact, samples=3).equal
    np.testing.assert_array_equal(artifact.step(x[:, 1]), wanted[:, 1])


def test_a_stream_is_not_copied_by_accident() -> None:
    stream = begun(Artifact(contents("reference")))
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(SpqcError, match="cannot be copied"):
            attempt(stream)


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
    stream = twin.stream()
    stream.load_state(begun(artifact).state())
    assert stream.step_count == 1


def test_a_loaded_artifact_can_be_pickled(tmp_path: Path) -> None:
    Artifact(contents("reference")).save(tmp_path / "net.spqc")
    loaded = spqc.load(tmp_path / "net.spqc")
    twin = pickle.loads(pickle.dumps(loaded))
    twin.save(tmp_path / "twin.spqc")
    assert (tmp_path / "twin.spqc").read_bytes() == (tmp_path / "net.spqc").read_bytes()
