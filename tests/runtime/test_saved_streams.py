"""States of streams: what the interpreter has, saved as bytes, carried elsewhere, refused where anything is wrong."""

from __future__ import annotations

import copy
import hashlib
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.layers import integer_network, one_layer
from support.random_graphs import Maker
from support.small_artifact import TARGETS, codes_of, contents, inputs

import spqc
from spqc.foundation.errors import InputError, SpqcError, UsageError
from spqc.ir import Graph
from spqc.runtime.saved_state import MAGIC
from spqc.runtime.session import Artifact
from spqc.runtime.stream import StreamSession
from spqc.targets.reference.executor import ReferenceStream

N_BATCH = 4


@pytest.fixture(params=TARGETS)
def artifact(request: pytest.FixtureRequest) -> Artifact:
    return Artifact(contents(request.param))


GRAPHS: dict[str, Callable[[], Graph]] = {
    "integrate": lambda: integer_network(1, "integrate"),
    "current": lambda: integer_network(1, "current"),
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


def assert_refused(stream: StreamSession, content: Any, message: str) -> None:
    before = stream.state()
    with pytest.raises(InputError, match=message) as raised:
        stream.load_state(content)
    assert raised.value.hint
    assert stream.state() == before


def test_bytes_that_are_no_state_are_refused(artifact: Artifact) -> None:
    stream = begun(artifact)
    good = stream.state()
    body = good[:-32]
    assert_refused(stream, None, "is bytes, not NoneType")
    assert_refused(stream, "text", "is bytes, not str")
    for other in (b"", pickle.dumps({"a": 1}), good[1:], b"PK\x03\x04" + good):
        assert_refused(stream, other, "no saved state")
    for cut in (len(MAGIC), 20, 60, len(good) - 1):
        assert_refused(stream, good[:cut], "cut off|hash")
    assert_refused(stream, good + b"\0", "hash")
    assert_refused(stream, signed(body + b"\0"), "bytes of states")
    assert_refused(stream, signed(body[:-1]), "bytes of states")
    assert_refused(stream, signed(MAGIC + struct.pack("<I", 2) + body[12:]), "version 2; this spqc reads 1")
    for samples in (0, N_BATCH + 1, 2**32 - 1):
        assert_refused(stream, signed(body[:12] + struct.pack("<I", samples) + body[16:]), "bytes of states")
    assert_refused(stream, signed(body[:12] + bytes(4) + body[16:56]), "counts steps, but no samples")
    assert_refused(stream, signed(body[:24] + bytes(32) + body[56:]), "of another network")


def test_the_state_of_another_network_is_refused() -> None:
    other = spqc.compile(one_layer(2, 5, 5), "reference").stream()
    other.step(codes_of(one_layer(2, 5, 5), N_BATCH, 0)[:, 0])
    assert_refused(begun(Artifact(contents("reference"))), other.state(), "of another network")


def test_every_changed_byte_is_noticed(artifact: Artifact) -> None:
    stream = begun(artifact)
    good = stream.state()
    for place in range(0, len(good), 7):
        assert_refused(
            stream, good[:place] + bytes([good[place] ^ 0x40]) + good[place + 1 :], "damaged|version|no saved"
        )


def test_states_that_no_neuron_has_are_refused(artifact: Artifact) -> None:
    """With the hash made right again: of two bits a state, the code -2 is none of -1, 0, 1."""
    stream = begun(artifact)
    body = bytearray(stream.state()[:-32])
    body[56] = 0b10
    assert_refused(stream, signed(bytes(body)), r"lies in -1\.\.1, and it holds -2")


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
    from spqc.targets.llvm.loader.native import Calls

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


def test_a_stream_is_not_copied_by_accident() -> None:
    stream = begun(Artifact(contents("reference")))
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(SpqcError, match="cannot be copied"):
            attempt(stream)
