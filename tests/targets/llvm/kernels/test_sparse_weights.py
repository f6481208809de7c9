"""Static zeros of weights: rows that kernels leave out, what `inspect` says of them, their place in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.exact import check
from support.processors import needs_v3

import spqc
from spqc.cli.main import main
from spqc.commands.inspect import inspect_path
from spqc.foundation.errors import ArtifactError, GraphError
from spqc.ir import Array, Builder, Graph, Type, Value, ops
from spqc.ir.grids import magnitudes
from spqc.ir.types import state_type
from spqc.runtime.archive import read_archive, write_archive
from spqc.runtime.packing import packed_size
from spqc.runtime.sparse import pack_sparse, sparse_size, unpack_sparse, worthwhile

CONVS = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}


def pruned(rng: np.random.Generator, shape: tuple[int, ...], encoding: str, bits: int, density: float) -> Array:
    """Return weights of which whole blocks of 16 outputs by 4 inputs by one place of the window are zero."""
    top = 2 ** (bits - 1) - 1
    full = rng.integers(-top, top + 1, shape) if encoding == "int" else rng.choice([-64, -4, -1, 1, 8, 64], shape)
    out, channels, *kernel = shape
    kept = rng.random((-(-out // 16), -(-channels // 4), *kernel)) < density
    return np.asarray(full * kept.repeat(16, 0)[:out].repeat(4, 1)[:, :channels])


def network(
    shape: tuple[int, ...], density: float, steps: int = 2, encoding: str = "int", bits: int = 8, **sides: Any
) -> Graph:
    """Return two sparse convolutions, a sparse linear layer and a classifier; the input is bytes."""
    rng = np.random.default_rng(steps)
    build = Builder("sparse", steps)

    def layer(x: Value, index: int, op: Any, size: tuple[int, ...], **attributes: Any) -> Value:
        w = build.constant(f"w{index}", Type(encoding, bits, size), pruned(rng, size, encoding, bits, density))
        (n,) = build.op(op, x, w, origin=f"features.{index} (Layer)", **attributes)
        gains = rng.normal(0, 3.0 / (x.type.range[1] * 2**bits), size[0]).astype(np.float32)
        a = build.constant(f"a{index}", Type("float", 32, size[:1]), gains)
        b = build.constant(f"b{index}", Type("float", 32, size[:1]), rng.normal(0.3, 0.4, size[0]).astype(np.float32))
        (current,) = build.op(ops.Affine, n, a, b, origin=f"features.{index} (Layer)")
        state = build.state(f"m{index}", state_type(-1, 1, n.type.shape))
        spike, following = build.op(ops.Neuron, current, state, origin=f"features.{index} (Layer)")
        build.nexts.append(following)
        return spike

    conv, kernel = CONVS[len(shape) - 1], (3, 2, 2)[: len(shape) - 1]
    x = build.input("x", Type("uint", 8, shape))
    x = layer(x, 0, conv, (33, shape[0], *kernel), padding=1)
    x = layer(x, 1, conv, (40, 33, *kernel), **sides)
    (x,) = build.op(ops.Flatten, x)
    x = layer(x, 2, ops.Linear, (32, x.type.size))
    head = build.constant("head", Type("int", 8, (3, 32)), rng.integers(-127, 128, (3, 32)))
    return build.graph(*build.op(ops.Linear, x, head))


CASES: list[tuple[Any, ...]] = [
    ((3, 7, 6), 0.25, 3, "int", 8, {"stride": 2}),
    ((20, 5, 9), 0.1, 1, "pot", 4, {"padding": (0, 1), "stride": (1, 2)}),
    ((5, 17), 0.5, 5, "int", 11, {"stride": 3}),
    ((2, 6, 4, 5), 0.25, 2, "int", 6, {"stride": (2, 1, 1), "padding": 1}),
    ((4, 5, 5), 0.0, 2, "int", 4, {}),
]


@needs_v3
@pytest.mark.parametrize(("shape", "density", "steps", "encoding", "bits", "sides"), CASES, ids=lambda v: str(v))
@pytest.mark.parametrize("cpu", ["host", "x86-64-v3"])
def test_rows_of_zeros_are_left_out_exactly(
    shape: tuple[int, ...], density: float, steps: int, encoding: str, bits: int, sides: dict[str, Any], cpu: str
) -> None:
    check(network(shape, density, steps, encoding, bits, **sides), f"llvm{{cpu={cpu} strategy=sparse}}", steps)


def test_sparse_layers_choose_it() -> None:
    graph = network((32, 12, 12), 0.1, 2)
    found = spqc.compile(graph, "llvm").contents.report["kernels"]["run"]
    assert found[1]["strategy"] == "sparse"
    dense = spqc.compile(network((4, 5, 5), 1.0), "llvm{strategy=sparse}").contents.report["kernels"]["run"]
    assert "sparse refuses" in dense[1]["reason"] and dense[1]["strategy"] != "sparse"


TYPES = [Type("int", 4, (3, 7)), Type("pot", 4, (17,)), Type("apot", 8, (2, 3, 5)), Type("uint", 1, (9,))]


@given(share=st.floats(0, 1), seed=st.integers(0, 99), type_=st.sampled_from(TYPES))
def test_arrays_without_their_zeros_come_back(share: float, seed: int, type_: Type) -> None:
    rng = np.random.default_rng(seed)
    if "pot" in type_.encoding:
        full = rng.choice(magnitudes(type_.encoding, type_.bits), type_.shape)
    else:
        full = rng.integers(0, type_.range[1] + 1, type_.shape)
    array = np.asarray(full * (rng.random(type_.shape) < share))
    content = pack_sparse(array, type_)
    count = int(np.count_nonzero(array))
    assert len(content) == sparse_size(type_, count)
    np.testing.assert_array_equal(unpack_sparse(content, type_, count), array)
    found = worthwhile(array, type_)
    assert (found is not None) == (len(content) < packed_size(type_)) and found in (None, count)
    with pytest.raises(GraphError, match="not"):
        unpack_sparse(content, type_, count + 1)


def test_bits_behind_the_last_element_are_refused() -> None:
    with pytest.raises(GraphError, match="behind the last"):
        unpack_sparse(b"\x80", Type("int", 4, (7,)), 0)


def test_sparse_artifacts_are_smaller_and_equal(tmp_path: Path) -> None:
    graph = network((3, 5, 5), 0.1, bits=8)
    artifact = spqc.compile(graph, "reference", out=tmp_path / "net.spqc")
    loaded = spqc.load(tmp_path / "net.spqc")
    assert loaded.graph == artifact.graph and set(loaded.contents.manifest["sparse"]) == {"@w0", "@w1", "@w2"}
    for name, array in artifact.graph.data.items():
        np.testing.assert_array_equal(loaded.graph.data[name], array)
    dense = spqc.compile(network((3, 5, 5), 1.0, bits=8), "reference", out=tmp_path / "dense.spqc")
    assert dense.contents.manifest.get("sparse", {}) == {}
    sizes = [len(read_archive(tmp_path / name)["weights.bin"]) for name in ("net.spqc", "dense.spqc")]
    assert sizes[0] < sizes[1] / 3


@pytest.mark.parametrize("count", [0, 10**6, "many"])
def test_a_wrong_count_is_a_clear_error(tmp_path: Path, count: object) -> None:
    path = tmp_path / "net.spqc"
    spqc.compile(network((3, 5, 5), 0.1), "reference", out=path)
    files = dict(read_archive(path))
    manifest = json.loads(files["manifest.json"])
    manifest["sparse"]["@w1"] = count
    path.write_bytes(write_archive(files | {"manifest.json": json.dumps(manifest).encode()}))
    with pytest.raises(ArtifactError):
        spqc.load(path)


def test_inspect_tells_the_density(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.spqc"
    graph = network((3, 5, 5), 0.25)
    spqc.compile(graph, "reference", out=path)
    share = np.count_nonzero(graph.data["@w1"]) / graph.data["@w1"].size
    assert [row.density for row in inspect_path(path).operators if row.operator == "conv2d"][1] == round(share, 4)
    assert main(["inspect", str(path)]) == 0
    assert f"{share:.0%} not zero" in " ".join(capsys.readouterr().out.split())
