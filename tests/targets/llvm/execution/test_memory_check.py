"""The memory checker: garbage before each call, guard pages around it, and what they find."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.exact import check
from support.layers import one_layer
from support.random_graphs import Maker, random_codes

import spqc
from spqc.foundation.errors import InternalError
from spqc.plugins.executor import Package

pytest.importorskip("tvm")

from spqc.targets.llvm.execution.executor import NativeExecutor
from spqc.targets.llvm.execution.memory import Garbage, guarded, read_only
from spqc.targets.llvm.execution.workspace import Stage
from spqc.targets.llvm.loader.native import Calls

SIZES = [1, 63, 64, 100, 4096, 5000]


@cache
def package(threads: int = 1) -> Package:
    return spqc.compile(one_layer(3, 5, 5), f"llvm{{threads={threads}}}").contents.package()


def codes(samples: int) -> Any:
    return next(iter(random_codes(one_layer(3, 5, 5), samples, 0).values()))


def fate_of(code: str) -> int:
    """Return the exit code of a Python program; negative: the signal that ended it."""
    begin = "import ctypes, numpy as np\nfrom spqc.targets.llvm.execution.memory import guarded, read_only\n"
    done = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, check=False)
    return done.returncode


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", ["first", "last"])
def test_guarded_memory_is_zero_writable_and_aligned(size: int, end: Any) -> None:
    region = guarded(size, end)
    assert region.bytes.size == size and region.bytes.ctypes.data % 64 == 0
    assert not region.bytes.any()
    region.bytes[:] = 7
    assert not region.touched()


@pytest.mark.parametrize("size", [64, 8192])
@pytest.mark.parametrize(("end", "place"), [("first", "-1"), ("last", "{size}")])
@pytest.mark.parametrize("access", ["ctypes.string_at({at}, 1)", "ctypes.memset({at}, 0, 1)"])
def test_an_access_outside_ends_the_process(size: int, end: str, place: str, access: str) -> None:
    at = f"region.bytes.ctypes.data + {place.format(size=size)}"
    code = f"region = guarded({size}, '{end}')\n"
    assert fate_of(code + "region.bytes[0] = region.bytes[-1]") == 0
    assert fate_of(code + access.format(at=at)) == -signal.SIGSEGV


@pytest.mark.parametrize("end", ["first", "last"])
def test_constants_can_be_read_and_not_written(end: str) -> None:
    code = f"region = read_only(np.arange(100, dtype=np.uint8), '{end}')\nassert region.bytes.sum() == 4950\n"
    assert fate_of(code) == 0
    assert fate_of(code + "ctypes.memset(region.bytes.ctypes.data, 0, 1)") == -signal.SIGSEGV


@pytest.mark.parametrize(("end", "place"), [("first", 100), ("last", -1), ("last", 100)])
def test_a_write_beside_a_region_is_seen(end: Any, place: int) -> None:
    import ctypes

    region = guarded(100, end)
    ctypes.memset(region.bytes.ctypes.data + place, 0, 1)
    assert region.touched()


def test_read_only_memory_holds_its_content() -> None:
    content = np.arange(5000, dtype=np.int64).astype(np.uint8)
    np.testing.assert_array_equal(read_only(content, "last").bytes, content)


@pytest.mark.parametrize("target", ["llvm", "llvm{threads=3}"])
@pytest.mark.parametrize("seed", [100, 103])
def test_networks_are_exact_under_the_checker(target: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPQC_CHECK", "1")
    check(Maker(seed).graph(3), target, seed)


def test_an_arena_that_is_too_small_ends_the_process(tmp_path: Path) -> None:
    """What a kernel that counted wrongly would do: here the manifest grants less than the functions use."""
    artifact = tmp_path / "net.spqc"
    spqc.compile(one_layer(3, 5, 5), "llvm", out=artifact)
    code = f"""if True:
        import spqc
        from dataclasses import replace
        from spqc.targets.llvm.execution.executor import NativeExecutor
        package = spqc.load({str(artifact)!r}).contents.package()
        functions = {{name: f | {{"arena_bytes": 64}} for name, f in package.settings["functions"].items()}}
        small = replace(package, settings=package.settings | {{"functions": functions}})
        NativeExecutor(small, check=True).run(np.ones((2, {one_layer(3, 5, 5).steps}, 3, 5, 5), np.uint8))
    """
    assert fate_of(code) == -signal.SIGSEGV


@pytest.mark.parametrize("threads", [1, 3])
def test_dirty_memory_is_garbage_before_each_call(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the input's codes, the constants and a stream's states is filled: seen where the function would begin."""
    executor = NativeExecutor(package(threads))
    expected, first = executor.run(codes(4)), executor.step(codes(4)[:, 0])
    executor.reset()
    filled: list[set[str]] = []
    whole = Stage._dirty

    def watched(stage: Stage, garbage: Garbage) -> None:
        before = [{name: region.bytes.copy() for name, region in each.items()} for each in stage.regions]
        whole(stage, garbage)
        for old, each in zip(before, stage.regions, strict=True):
            filled.append({name for name, region in each.items() if not np.array_equal(old[name], region.bytes)})

    monkeypatch.setattr(Stage, "_dirty", watched)
    executor.dirty(5)
    np.testing.assert_array_equal(executor.run(codes(4)), expected)
    assert filled and all(names == {"input", "result", "trace", "arena", "state"} for names in filled)
    filled.clear()
    np.testing.assert_array_equal(executor.step(codes(4)[:, 0]), first)
    assert filled and all(names == {"input", "result", "trace", "arena"} for names in filled)
    filled.clear()
    executor.dirty(None)
    executor.run(codes(4))
    assert not filled


def test_the_same_seed_gives_the_same_garbage() -> None:
    kept = []
    for seed in (1, 1, 2):
        executor = NativeExecutor(package())
        executor.dirty(seed)
        executor.run(codes(1))
        (stages,) = executor.engine.spaces[0]._bound.values()
        kept.append(stages[0].regions[0]["trace"].bytes.copy())
    np.testing.assert_array_equal(kept[0], kept[1])
    assert not np.array_equal(kept[0], kept[2])


def test_a_result_that_hangs_on_old_memory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that leaves its result as it was: the two runs of the checker differ."""
    executor = NativeExecutor(package(), check=True)
    executor.run(codes(1))
    monkeypatch.setattr(Calls, "__call__", lambda calls: None)
    with pytest.raises(InternalError, match="nobody wrote"):
        executor.run(codes(1))
