"""The llvm target against the interpreter: random networks, several CPUs, threads, windows and streams."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.exact import check
from support.hand_network import hand
from support.layers import one_layer
from support.processors import needs_v3
from support.random_graphs import Maker

import spqc
from spqc.foundation.errors import SpqcError, Unavailable, UsageError
from spqc.ir import Builder, Type, ops

TARGETS = ("llvm", "llvm{cpu=x86-64-v3}", "llvm{threads=2}")


@needs_v3
@pytest.mark.parametrize("seed", range(100, 112))
def test_random_networks_are_exact(seed: int) -> None:
    check(Maker(seed).graph(3), TARGETS[seed % 3], seed)


@pytest.mark.usefixtures("compiles")
@pytest.mark.parametrize("target", ["llvm", "llvm{strategy=events}"])
def test_passes_of_tvm_that_are_left_out_change_no_byte(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tvm = pytest.importorskip("tvm")
    graph = hand()
    short = spqc.compile(graph, target).contents.files["model.so"]
    left_out: list[str] = []

    class Whole(tvm.transform.PassContext):
        def __init__(self, disabled_pass: list[str]) -> None:
            left_out.extend(disabled_pass)
            super().__init__()

    monkeypatch.setattr(tvm.transform, "PassContext", Whole)
    assert spqc.compile(graph, target).contents.files["model.so"] == short
    assert left_out


@needs_v3
@pytest.mark.parametrize("seed", range(4))
def test_integer_streams_are_exact(seed: int) -> None:
    check(Maker(seed).stream(), TARGETS[seed % 3], seed)


@needs_v3
@pytest.mark.parametrize("seed", range(6))
def test_attention_is_exact(seed: int) -> None:
    check(Maker(seed).attention(), TARGETS[seed % 3], seed)


@needs_v3
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 260))
def test_many_random_networks_are_exact(seed: int) -> None:
    check(Maker(seed).graph(4), TARGETS[seed % 3], seed)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 1, 1), (3, 5, 7), (17, 33, 31), (100, 4, 4)])
@pytest.mark.parametrize("target", ["llvm", pytest.param("llvm{cpu=x86-64-v3}", marks=needs_v3)])
def test_odd_sizes(channels: int, height: int, width: int, target: str) -> None:
    check(one_layer(channels, height, width), target, 1)


def test_attention_that_overflows_is_refused() -> None:
    build = Builder("wide", 1)
    x = build.input("x", Type("uint", 8, (2, 9, 9)))
    (y,) = build.op(ops.Attention, x, x, x, origin="features.0 (Attention)")
    (flat,) = build.op(ops.Flatten, y)
    head = build.constant("head", Type("int", 2, (1, 162)), np.ones((1, 162), np.int64))
    graph = build.graph(*build.op(ops.Linear, flat, head))
    with pytest.raises(SpqcError, match="its products are wider than 31 bits"):
        spqc.compile(graph, "llvm")


def test_states_are_packed_at_two_bits() -> None:
    executor = spqc.compile(one_layer(3, 8, 8), "llvm").executor
    neurons = 32 * 64  # 19 channels padded to 32
    assert executor.state_bytes == neurons * 2 // 8  # type: ignore[attr-defined]


@pytest.mark.usefixtures("compiles")
def test_same_model_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        spqc.compile(one_layer(3, 5, 5), "llvm", out=tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_unknown_cpu_is_named() -> None:
    with pytest.raises(UsageError, match="knows no cpu 'znver55'") as caught:
        spqc.compile(one_layer(1, 4, 4), "llvm{cpu=znver55}")
    assert "znver5" in caught.value.hint


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names of x86")
@pytest.mark.parametrize("cpu", ["pentium4", "i686", "yonah"])
def test_a_cpu_without_64_bits_is_refused(cpu: str) -> None:
    """LLVM knows it, and would end the process."""
    with pytest.raises(UsageError, match=f"cpu '{cpu}' runs no 64-bit code"):
        spqc.compile(one_layer(1, 4, 4), f"llvm{{cpu={cpu}}}")


def test_code_for_a_greater_cpu_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU that shows no AVX2 the artifact is refused by name: never an illegal instruction."""
    path = tmp_path / "net.spqc"
    spqc.compile(one_layer(1, 4, 4), "llvm{cpu=x86-64-v3}", out=path)
    monkeypatch.setattr("spqc.targets.llvm.cpu.host_flags", lambda: frozenset({"pni", "ssse3", "sse4_1", "sse4_2"}))
    with pytest.raises(Unavailable, match=r"avx2.*which this CPU lacks") as caught:
        _ = spqc.load(path).run(np.zeros((1, 5, 1, 4, 4), np.uint8))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_running_loads_neither_torch_nor_a_compiler(tmp_path: Path, threads: int) -> None:
    path = tmp_path / "net.spqc"
    spqc.compile(one_layer(2, 6, 6), f"llvm{{threads={threads}}}", out=path)
    program = (
        "import sys, numpy, spqc\n"
        f"y = spqc.load({str(path)!r}).run(numpy.zeros((2, 5, 2, 6, 6), numpy.uint8))\n"
        "maps = open('/proc/self/maps').read()\n"
        "print(y.shape, 'torch' in sys.modules, 'tvm' in sys.modules, 'libtvm_compiler' in maps)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[0] == "(2, 5, 7) False False False", done.stderr
