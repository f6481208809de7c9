"""Dumps and reproducers are complete: each can be fed back to `opt`, and gives what the compilation gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fuzz.subjects import maps_graph

import spqc as package
from spqc.commands.sources import read_model
from spqc.foundation.errors import InternalError
from spqc.frontends.graph_text import write_arrays
from spqc.ir import Graph
from spqc.passes.pack_spikes import PackSpikes
from spqc.plugins import pipeline
from spqc.targets.llvm import Llvm

Run = Callable[..., object]


@pytest.fixture
def dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The dumps of a compilation for llvm."""
    monkeypatch.chdir(tmp_path)
    write_arrays(Path("maps.tg"), maps_graph())
    package.compile("maps.tg", "llvm", dump="dump")
    return Path("dump")


def test_every_dump_leads_to_the_same_graph(dump: Path, spqc: Run) -> None:
    passes = pipeline.split(Llvm().pipeline())
    graphs = sorted(dump.glob("*.tg"))
    assert len(graphs) == len(passes) + 1
    last = spqc("opt", graphs[-1]).out  # type: ignore[attr-defined]
    assert last
    for index, path in enumerate(graphs):
        outcome = spqc("opt", path, "--passes", ",".join(passes[index:]))
        assert (outcome.code, outcome.out) == (0, last), path  # type: ignore[attr-defined]


def test_dumps_of_programs_are_graphs_too(dump: Path, spqc: Run) -> None:
    programs = sorted(dump.glob("*/*.tg"))
    assert {path.parent.name for path in programs} == {"run", "step"}
    for path in programs:
        outcome = spqc("opt", path, "--passes", "form-kernels")
        assert outcome.code == 0 and "kernel " in outcome.out, path  # type: ignore[attr-defined]
        begins = "graph maps(" if path.name == "00-input.tg" else "program maps mode="
        assert path.read_text().startswith(begins)


def test_a_dump_can_be_compiled_and_verified(dump: Path, spqc: Run) -> None:
    for path in sorted(dump.glob("*.tg")):
        assert spqc("verify", path, "--target", "reference", "--samples", "2").code == 0  # type: ignore[attr-defined]


def test_the_arrays_of_a_dump_are_those_of_its_graph(dump: Path) -> None:
    with np.load(dump / "00-input.npz") as held:
        assert set(held) == set(maps_graph().data)
        for name, array in maps_graph().data.items():
            np.testing.assert_array_equal(held[name], array)


def test_dumps_with_the_same_arrays_share_a_file(dump: Path) -> None:
    files = list(dump.rglob("*.npz"))
    assert len({path.stat().st_ino for path in files}) < len(files)
    first = dump / "00-input.npz"
    package.compile("maps.tg", "reference", dump="dump")  # over dumps that share files
    with np.load(first) as held:
        assert "@w" in held


def test_a_graph_without_arrays_is_dumped_without_them(tmp_path: Path) -> None:
    package.api.opt(str(maps_graph()), "remove-dead", dump=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00-input.tg", "01-remove-dead.tg"]


def test_a_reproducer_of_a_program_begins_at_its_graph(
    tmp_path: Path, spqc: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = PackSpikes.run

    def crash(self: PackSpikes, module: object) -> None:
        raise IndexError("out of range")

    monkeypatch.setattr(PackSpikes, "run", crash)
    with pytest.raises(InternalError, match="pack-spikes") as caught:
        package.compile(maps_graph(), "llvm", dump=tmp_path)
    path = tmp_path / "run" / "reproducer.tg"
    assert str(path) in caught.value.hint and "npz" in caught.value.hint
    assert path.read_text().startswith("// pipeline: form-kernels{tile=16 alignment=64},fuse-time,pack-spikes")
    again = spqc("opt", path)
    assert again.code == 70 and "pass 'pack-spikes' crashed" in again.err  # type: ignore[attr-defined]
    monkeypatch.setattr(PackSpikes, "run", sound)
    assert spqc("opt", path).code == 0  # type: ignore[attr-defined]


def test_a_reproducer_beside_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: PackSpikes, module: object) -> None:
        raise IndexError("out of range")

    monkeypatch.setattr(PackSpikes, "run", crash)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(tmp_path / "nowhere"))
    with pytest.raises(InternalError, match="out of range") as caught:
        package.compile(maps_graph(), "llvm")
    assert "no reproducer was written" in caught.value.hint


def test_a_written_graph_is_the_graph_that_is_read(tmp_path: Path) -> None:
    graph = replace(maps_graph(), notes=(*maps_graph().notes, ("levels.a", "-1|0|1")))
    write_arrays(tmp_path / "a.tg", graph)
    found: Graph = read_model(tmp_path / "a.tg").graph
    assert found == graph and found.digest() == graph.digest()
