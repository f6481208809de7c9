"""Neurons of random options: torch, interpreter and compiled code agree, whatever is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spqc
from spqc.foundation.errors import ModelError

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)

levels = st.lists(
    st.sampled_from([-3.0, -2.25, -1.7, -1.0, -0.5, 0.3, 0.75, 1.0, 1.6]), min_size=1, max_size=7, unique=True
)
quantised = st.fixed_dictionaries(
    {
        "membrane": st.one_of(
            levels.map(lambda found: tuple(sorted([*found, 0.0]))),
            st.sampled_from(["ternary", "binary", "released", "tapeout", "mint2", "mint3", "mint4"]),
        ),
        "leak": st.floats(0.0, 1.0, width=32),
        "threshold": st.floats(0.0625, 2.5, width=32),
        "input_scale": st.sampled_from([0.25, 0.5, 1.0, 2.0]),
        "fire": st.sampled_from(["ge", "gt"]),
        "order": st.sampled_from(["reset_first", "quantise_first"]),
        "leak_at": st.sampled_from(["read", "write"]),
        "reset": st.sampled_from(["hard", "soft"]),
        "ties": st.sampled_from(["down", "up", "even", "away"]),
        "squash": st.sampled_from(["none", "tanh"]),
        "batch_norm": st.sampled_from(["plain", "none"]),
        "weight_grid": st.sampled_from(["pot", "mint", "uniform", "q2.3"]),
        "seed": st.integers(0, 99),
    }
)
integer = st.fixed_dictionaries(
    {
        "membrane": st.sampled_from(["fixed", "ace", "q4.6"]),
        "leak": st.floats(0.0, 1.0, width=32),
        "leak_bits": st.integers(1, 12),
        "threshold": st.floats(0.0625, 2.5, width=32),
        "fire": st.sampled_from(["ge", "gt"]),
        "reset": st.sampled_from(["hard", "soft"]),
        "rounding": st.sampled_from(["truncate", "zero", "nearest"]),
        "overflow": st.sampled_from(["saturate", "wrap"]),
        "batch_norm": st.just("none"),
        "weight_grid": st.just("q2.3"),
        "seed": st.integers(0, 99),
    }
)
loihi = st.fixed_dictionaries(
    {
        "membrane": st.just("loihi"),
        "leak": st.floats(0.0, 1.0, width=32),
        "current_leak": st.floats(0.0, 1.0, width=32),
        "threshold": st.floats(0.0625, 2.5, width=32),
        "batch_norm": st.just("none"),
        "weight_grid": st.sampled_from(["pot", "mint", "uniform", "q2.3"]),
        "seed": st.integers(0, 99),
    }
)
KINDS = {"quantised": quantised, "integer": integer, "loihi": loihi}
CALM = list(HealthCheck)


def network(options: dict[str, Any]) -> Any:
    layers = [
        {"op": "conv2d", "out": 3, "kernel": 2, "bias": options["seed"] % 2 == 0},
        {"op": "avg_pool", "kernel": 2},
        {"op": "linear", "out": 6},
        {"op": "linear", "out": 3},
    ]
    return models.create("sequential", in_shape=(2, 5, 5), classes=3, steps=4, input="spikes", layers=layers, **options)


def check(options: dict[str, Any], target: str) -> None:
    report = spqc.verify(network(options), target=target, samples=4, seed=options["seed"])
    assert report.equal, (options, report.first_mismatch)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=CALM)
@given(data=st.data())
def test_torch_is_the_interpreter(kind: str, data: st.DataObject) -> None:
    check(data.draw(KINDS[kind]), "reference")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3, deadline=None, derandomize=True, database=None, suppress_health_check=CALM)
@given(data=st.data())
def test_compiled_code_is_torch(kind: str, data: st.DataObject) -> None:
    check(data.draw(KINDS[kind]), "llvm")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=CALM)
@given(data=st.data())
def test_much_compiled_code_is_torch(kind: str, data: st.DataObject) -> None:
    check(data.draw(KINDS[kind]), "llvm")


def test_a_table_that_is_too_large_is_refused_with_its_size() -> None:
    """With batch norm each of the 255 states of an 8-bit membrane has thresholds of its own: too many."""
    net = network({"membrane": "mint8", "weight_grid": "mint", "weight_bits": 8, "seed": 0})
    with pytest.raises(ModelError, match="a table of its 255 levels is too large"):
        spqc.compile(net, "llvm")
    folded = network({"membrane": "mint8", "weight_grid": "mint", "weight_bits": 8, "seed": 0, "batch_norm": "none"})
    x = np.random.default_rng(0).integers(0, 2, (4, 4, 2, 5, 5))
    assert spqc.verify(folded, target="llvm", x=x).equal, "its batch norm folded into weights and bias, it is exact"
