"""Densities: measured on inputs, assumed without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import spqc as package
from spqc.commands.sources import read_model
from spqc.cost.input_rates import measure_chances
from spqc.foundation.errors import InputError
from spqc.ir import Builder, Graph, Type, ops
from spqc.ir.ops import Conv2d


def pooled(pool: type[ops.SumPool] | type[ops.MaxPool]) -> Graph:
    """Return a graph whose second sum reads pooled inputs."""
    build = Builder("net", 2)
    x = build.input("x", Type("spike", 1, (2, 4, 4)))
    (p,) = build.op(pool, x, kernel=2)
    (f,) = build.op(ops.Flatten, p)
    w = build.constant("w", Type("int", 2, (3, 8)), np.ones((3, 8), np.int64))
    (y,) = build.op(ops.Linear, f, w, origin="head (Linear)")
    return build.graph(y)


def test_chances_are_the_shares_of_every_code() -> None:
    """One of 16 pixels spikes, in every step: a window of four then holds it with a chance of a quarter."""
    codes = np.zeros((3, 2, 2, 4, 4), np.int64)
    codes[:, :, :, 0, 0] = 1
    codes[:, :, 1, 1, 1] = 1
    (chances,) = measure_chances(pooled(ops.SumPool), codes).values()
    assert chances == (0.75, 0.125, 0.125)
    (chances,) = measure_chances(pooled(ops.MaxPool), codes).values()
    assert chances == (0.75, 0.25)


def test_the_default_density_is_stated() -> None:
    pytest.importorskip("tvm")
    from spqc.cost.density import assumed

    for pool, active in ((ops.MaxPool, 0.478), (ops.SumPool, 0.478)):
        graph = pooled(pool)
        found = assumed(graph, graph.ops[-1].inputs[0])
        assert not found.measured and found.active == pytest.approx(active, abs=1e-3)
        assert sum(found.chances) == pytest.approx(1)
    assert found.mean == pytest.approx(0.6)


def test_compile_reports_measured_densities(tiny: Path, spqc: Callable[..., object]) -> None:
    graph = read_model(tiny).graph
    steps, shape = graph.steps, graph.inputs[0].type.shape
    np.save("x.npy", np.zeros((2, steps, *shape), np.uint8))
    outcome = spqc("compile", tiny, "-o", "a.spqc", "--calibrate", "x.npy")
    assert outcome.code == 0, outcome.err  # type: ignore[attr-defined]
    first = next(op for op in package.load("a.spqc").graph.ops if isinstance(op, Conv2d | ops.Linear))
    entries = package.load("a.spqc").contents.report["kernels"]["run"]
    assert entries[0]["density"] == 0 and entries[0]["density_measured"], first


def test_calibration_data_of_another_shape_is_refused(tiny: Path) -> None:
    with pytest.raises(InputError):
        package.compile(tiny, calibrate=np.zeros((2, 99, 99), np.uint8))
    shape = read_model(tiny).graph.inputs[0].type.shape
    with pytest.raises(InputError, match="no samples"):
        package.compile(tiny, calibrate=np.zeros((0, *shape), np.uint8))
