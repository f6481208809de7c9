"""What once was inexact, its siblings, and maps of degenerate geometry under every strategy and level of CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from stress.case import random_settings
from stress.networks import served
from support.comparison import compare
from support.layers import add_neuron
from support.random_graphs import random_codes

import spqc
from spqc.foundation.errors import InternalError, ModelError
from spqc.ir import Builder, Graph, Type, ops
from spqc.ir.grids import magnitudes
from spqc.targets._plan import extent
from spqc.targets._plan.arrangements import Columns
from spqc.targets._plan.constants import Constants
from spqc.targets._tir import build
from spqc.targets.llvm.compile import machine_target
from spqc.targets.llvm.cpu import missing_features
from spqc.targets.llvm.strategies import strategies

NAMES = sorted(strategies())
CPUS = ("host", "x86-64-v3", "x86-64")


def features_of(cpu: str) -> frozenset[str]:
    """Return LLVM's features of a CPU; skip where this machine lacks one of them."""
    features = machine_target(cpu)[1]
    if missing_features(features):
        pytest.skip(f"this CPU cannot run code for {cpu}")
    return frozenset(features)


def require_exact(graph: Graph, target: str, *, samples: int = 3, strategy: str = "") -> None:
    """Assert that windows, traces and streams equal the interpreter; `strategy`: that some kernel was computed so."""
    artifact = spqc.compile(graph, target, records="none")
    if strategy:
        used = {kernel["strategy"] for form in artifact.contents.report["kernels"].values() for kernel in form}
        assert strategy in used
    codes = random_codes(graph, samples, 0)[graph.inputs[0].name]
    done = compare(graph, artifact.executor, codes)
    assert not done.differences
    assert done.spikes > 0 and done.logits > 0


def grid_values(kind: Type) -> npt.NDArray[np.int64]:
    """Return the magnitudes of a grid."""
    return np.arange(2 ** (kind.bits - 1)) if kind.encoding == "int" else magnitudes(kind.encoding, kind.bits)


def network(shape: tuple[int, ...], steps: int, layers: list[dict[str, Any]], weight: Type | None = None) -> Graph:
    """Return convolutions (kernel, stride, padding, channels) or linear layers (channels), and a classifier of 3."""
    rng = np.random.default_rng(0)
    build, kind = Builder("net", steps), weight or Type("int", 2, (1,))
    x = build.input("x", Type("spike", 1, shape))
    for index, layer in enumerate([*layers, {"channels": 3}]):
        kernel, origin = layer.get("kernel", 0), f"layers.{index} (Layer)"
        if not kernel and len(x.type.shape) > 1:
            (x,) = build.op(ops.Flatten, x)
        sides = (kernel,) * (len(x.type.shape) - 1)
        size = (layer["channels"], x.type.shape[0], *sides)
        array = rng.choice(grid_values(kind), size) * rng.choice([-1, 1], size)
        w = build.constant(f"w{index}", Type(kind.encoding, kind.bits, size), array)
        options = {name: layer[name] for name in ("stride", "padding") if name in layer}
        (n,) = build.op(ops.Conv2d if kernel else ops.Linear, x, w, origin=origin, **options)
        if index == len(layers):
            return build.graph(n)
        (x,) = add_neuron(build, n, index, rng)
    raise AssertionError("a network has a classifier")


@pytest.mark.parametrize("stride", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("strategy", ["slices", pytest.param("lookup", marks=pytest.mark.slow)])
def test_a_map_of_one_row_has_phases_without_rows(stride: int, strategy: str) -> None:
    """Their zeros are written all the same: what lies in the memory before a call is not read."""
    features_of("host")
    layers = [{"channels": 33, "kernel": 1}, {"channels": 16, "kernel": 3, "stride": stride, "padding": 2}]
    require_exact(network((1, 1, 70), 8, layers), f"llvm{{strategy={strategy}}}")


@pytest.mark.parametrize("steps", [7, 10, pytest.param(20, marks=pytest.mark.slow)])
def test_a_stream_does_not_read_the_constants_of_windows(steps: int) -> None:
    """Masks of row ends have other lengths for one step than for a window."""
    layers = [{"channels": 16, "kernel": 3, "padding": 1}, {"channels": 16, "kernel": 3, "padding": 1}]
    require_exact(network((2, 34, 34), steps, layers), "llvm{strategy=slices}", strategy="slices")


def test_constants_that_differ_anywhere_have_places_of_their_own() -> None:
    constants = Constants(network((2, 3, 3), 1, []), 16)
    columns = Columns("@w0", "int64", 3, width=3, height=3, source=3, stride=1, padding=1, words=1, times=1)
    first = constants.place(columns)
    assert constants.place(replace(columns)).offset == first.offset
    changes: list[dict[str, Any]] = [{"words": 2}, {"dtype": "int32"}, {"padding": 0}, {"times": 2}]
    others = [constants.place(replace(columns, **change)) for change in changes]
    assert len({first.offset, *(other.offset for other in others)}) == 5


KINDS = (("pot", 2), ("pot", 4), ("pot", 5), ("apot", 4), ("apot", 8), ("int", 2), ("int", 4), ("int", 8))
# Powers of two of 8 bits end at 2^14, which 5 stored bits hold.
GRIDS = {f"{encoding}{bits}": Type(encoding, bits, (1,)) for encoding, bits in KINDS}
WIDTHS = (16, 48, 128, 256, 512)
GRID_CASES = [
    pytest.param(grid, width, marks=() if ((grid, width) == ("pot5", 256)) else pytest.mark.slow)
    for grid in GRIDS
    for width in WIDTHS
]


@pytest.mark.parametrize(("grid", "width"), GRID_CASES)
def test_every_grid_at_every_width_is_exact(grid: str, width: int) -> None:
    """Linear layers and convolutions: rows of weights of one and two bytes, from one vector to the widest tiles."""
    graph = network((24,), 3, [{"channels": width}, {"channels": width}], GRIDS[grid])
    require_exact(graph, "llvm{strategy=events}", strategy="events")
    layers = [{"channels": 24, "kernel": 1}, {"channels": width, "kernel": 3, "padding": 1}]
    require_exact(network((2, 3, 3), 3, layers, GRIDS[grid]), "llvm{strategy=events}", strategy="events")


def test_code_that_needs_a_runtime_is_not_linked() -> None:
    """A local array of 1 KiB would come from a heap that nobody provides."""
    build.refuse_runtime(b"\x00__TVMBackendParallelLaunch\x00__tvm_ffi_run\x00")
    with pytest.raises(InternalError, match="__TVMBackendAllocWorkspace"):
        build.refuse_runtime(b"\x00__TVMBackendAllocWorkspace\x00")


@pytest.mark.parametrize("most", [64, 4096])
def test_regions_beyond_32_bits_are_refused(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "MOST_BYTES", most)
    with pytest.raises(ModelError, match="compiled code indexes up to"):
        spqc.compile(network((2, 9, 9), 2, [{"channels": 16, "kernel": 3}]), "llvm{strategy=dense}")


def degenerate(name: str, cpu: str, seed: int, threads: int) -> None:
    graph = served(name, seed, features_of(cpu))
    if graph is None:
        pytest.skip(f"'{name}' computes no drawn network on {cpu}")
    with random_settings(seed):
        require_exact(graph, f"llvm{{strategy={name} cpu={cpu} threads={threads}}}")


@pytest.mark.parametrize("name", NAMES)
def test_degenerate_maps_are_exact(name: str) -> None:
    """Sides of 1 or 2, kernels as large as the map, strides beyond it, 1 to 33 steps."""
    degenerate(name, "host", 0, 1)


NEEDS_512_BITS = ("bits", "planar", "slices")
NEEDS_PERMUTES = ("lookup",)
LEVELS = [
    (name, cpu)
    for name in NAMES
    for cpu in CPUS
    if cpu == "host" or (name not in NEEDS_512_BITS and (cpu != "x86-64" or name not in NEEDS_PERMUTES))
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize(("name", "cpu"), LEVELS)
def test_many_degenerate_maps_are_exact(name: str, cpu: str, seed: int) -> None:
    degenerate(name, cpu, seed, 1 + seed % 3)
