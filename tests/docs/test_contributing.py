"""The three examples of CONTRIBUTING.md are the files of examples/plugins, and they work where it says they go."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module, invalidate_caches
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.places import ROOT
from support.random_graphs import Maker, random_codes

import spqc
from spqc.foundation.errors import ModelError
from spqc.ir import Graph, interpret, parse_graph
from spqc.ir.ops import Bias
from spqc.plugins import pipeline, registry

EXAMPLES = {"json_mlp": "frontends", "remove_zero_bias": "passes", "operation_count": "targets"}
SEEDS = range(24)

Install = Callable[[str], Any]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Copy an example to where built-in plug-ins lie - a folder of its own, in front of the real one - and load it."""

    def copy(name: str) -> Any:
        kind: Any = EXAMPLES[name]
        folder = tmp_path / kind
        folder.mkdir()
        shutil.copy(ROOT / "examples" / "plugins" / f"{name}.py", folder)
        monkeypatch.setattr(f"spqc.{kind}.__path__", [str(folder), *import_module(f"spqc.{kind}").__path__])
        invalidate_caches()
        plugin = registry.load(kind, name.replace("_", "-"))
        assert Path(sys.modules[plugin.__module__].__file__ or "").parent == folder
        return plugin

    yield copy
    for name, kind in EXAMPLES.items():
        sys.modules.pop(f"spqc.{kind}.{name}", None)


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    """A perceptron as JSON, with scales of both signs."""
    rng = np.random.default_rng(5)
    sizes = [6, 17, 9]
    layers = [
        {
            "weight": rng.integers(-9, 10, (after, before)).tolist(),
            "scale": float(rng.choice([-0.11, 0.07])),
            "offset": rng.normal(0, 0.4, after).tolist(),
            "threshold": 0.9,
        }
        for before, after in pairwise(sizes)
    ]
    classifier = rng.integers(-20, 21, (3, sizes[-1])).tolist()
    path = tmp_path / "mlp.json"
    path.write_text(json.dumps({"steps": 5, "inputs": sizes[0], "layers": layers, "classifier": classifier}))
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_shows_the_file(name: str) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    shown = re.search(rf"<!-- examples/plugins/{name}\.py -->\n```python\n(.*?)```\n", page, re.DOTALL)
    assert shown, f"CONTRIBUTING.md does not show examples/plugins/{name}.py"
    assert shown[1] == (ROOT / "examples" / "plugins" / f"{name}.py").read_text(), "copy the file into CONTRIBUTING.md"


@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_frontend_compiles_and_agrees_with_its_framework(install: Install, mlp: Path, target: str) -> None:
    install("json_mlp")
    artifact = spqc.compile(str(mlp), target)
    x = np.random.default_rng(0).integers(0, 2, (40, 5, 6))
    report = spqc.verify(str(mlp), artifact=artifact, x=x)
    assert report.equal, report.first_mismatch
    assert report.compared_spikes == 40 * 5 * (17 + 9)
    assert 0 < artifact.trace(x)["layers.0"][0].mean() < 1, "the network neither sleeps nor always fires"


def test_frontend_finds_a_wrong_model(install: Install, tmp_path: Path) -> None:
    install("json_mlp")
    path = tmp_path / "bad.json"
    path.write_text('{"steps": 4}')
    with pytest.raises(ModelError, match="the model lacks classifier, inputs, layers"):
        spqc.compile(str(path), "reference")


def with_zero_bias(seed: int) -> Graph:
    graph = Maker(seed).graph()
    return replace(graph, data={**graph.data, "@bias": np.zeros(5, np.int64)})


@pytest.mark.parametrize("seed", SEEDS)
def test_pass_keeps_the_meaning(install: Install, seed: int) -> None:
    install("remove_zero_bias")
    passes = pipeline.parse("remove-zero-bias")
    graph = with_zero_bias(seed)
    after = pipeline.run(graph, passes)
    assert isinstance(after, Graph)
    assert all(after.data[op.inputs[1].name].any() for op in after.ops if isinstance(op, Bias))
    assert len(after.ops) < len(graph.ops)
    assert parse_graph(str(after)) == after
    x = random_codes(graph, 3, seed)
    (before,), (now,) = interpret(graph, x).values(), interpret(after, x).values()
    assert np.array_equal(before, now)


def test_pass_returns_the_same_object_where_nothing_changes(install: Install) -> None:
    install("remove_zero_bias")
    graph = Maker(1).graph()
    assert pipeline.run(graph, pipeline.parse("remove-zero-bias")) is graph
    zero = with_zero_bias(1)
    assert pipeline.run(zero, pipeline.parse("remove-zero-bias{largest=4}")) is zero


@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_pass_runs_in_a_compilation(install: Install, target: str) -> None:
    install("remove_zero_bias")
    graph = with_zero_bias(3)
    artifact = spqc.compile(graph, target, passes="remove-zero-bias,default")
    assert artifact.contents.report["passes"][0] == {"pass": "remove-zero-bias", "changed": True}
    (x,) = random_codes(graph, 4, 3).values()
    assert np.array_equal(artifact.executor.run(x), interpret(graph, {graph.inputs[0].name: x})[graph.outputs[0].name])


@pytest.mark.parametrize("seed", SEEDS)
def test_target_runs_and_counts(install: Install, seed: int, tmp_path: Path) -> None:
    install("operation_count")
    graph = Maker(seed).graph()
    artifact = spqc.compile(graph, "operation-count{weights=nonzero}", out=tmp_path / "net.spqc")
    dense = spqc.compile(graph, "operation-count")
    assert 0 < artifact.contents.settings["additions"] <= dense.contents.settings["additions"]
    loaded = spqc.load(tmp_path / "net.spqc")
    counted = json.loads(loaded.contents.files["operations.json"])
    assert counted["additions"] == sum(counted["by_result"].values()) == artifact.contents.settings["additions"]
    report = spqc.verify(graph, artifact=loaded, samples=3)  # whole windows, traces and single steps
    assert report.equal, report.first_mismatch


def test_target_refuses_what_it_cannot_count(install: Install) -> None:
    install("operation_count")
    graph = Maker(0).graph()
    with pytest.raises(ModelError, match="not supported by target 'operation-count'"):
        spqc.compile(graph, "operation-count", passes="remove-dead")


@pytest.mark.parametrize(("name", "kind"), EXAMPLES.items())
def test_another_distribution_provides_it(
    name: str, kind: registry.Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "examples" / "plugins" / f"{name}.py", tmp_path)
    info = tmp_path / "spqc_example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spqc-example\nVersion: 1.0\n")
    plugin = name.replace("_", "-")
    (info / "entry_points.txt").write_text(f"[spqc.{kind}]\n{plugin} = {name}:PLUGIN\n")
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()
    try:
        assert registry.load(kind, plugin).name == plugin
    finally:
        sys.modules.pop(name, None)
