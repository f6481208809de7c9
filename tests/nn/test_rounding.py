"""A notice names each number that an integer membrane rounds, at every door; nothing is said where nothing is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spqc
from spqc import api
from spqc.foundation.errors import Notice

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)

LAYERS = [{"op": "linear", "out": 5, "bias": True}, {"op": "linear", "out": 6}, {"op": "linear"}]
ACE = {"membrane": "ace", "weight_grid": "uniform", "weight_bits": 6}
QSPINN = {"membrane": "q11.16", "weight_grid": "q1.4"}
LOIHI = {"membrane": "loihi", "weight_grid": "q4.3", "leak": 0.5}


def network(**options: Any) -> Any:
    chosen = {"batch_norm": "none", "steps": 3, "layers": LAYERS, "input": "spikes"} | options
    return models.create("sequential", in_shape=(8,), classes=4, **chosen)


def said(action: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [str(warning.message) for warning in caught if issubclass(warning.category, Notice)]


ROUNDED: list[tuple[dict[str, Any], str]] = [
    (ACE | {"threshold": 0.7}, "threshold 0.7 is held as"),
    (ACE | {"leak": 0.93}, "leak 0.93 is held as 0.9296875"),
    (ACE | {"leak": 0.93, "leak_bits": 12}, "leak 0.93 is held as 0.9299316"),
    (LOIHI | {"current_leak": 0.1}, "current_leak 0.1 is held as 0.1000977"),
    (LOIHI | {"threshold": 0.7}, "threshold 0.7 is held as 0.75"),
    (QSPINN | {"membrane": "q11.1"}, "the last 3 bits of each sum are rounded away (truncate)"),
    (QSPINN | {"membrane": "q11.1", "input": "pixels"}, "the last 11 bits of each sum are rounded away (truncate)"),
    (QSPINN | {"threshold": 2.0**-18}, "threshold 3.814697e-06 is held as 1.525879e-05"),
]


@pytest.mark.parametrize(("options", "words"), ROUNDED)
def test_a_notice_names_what_a_membrane_rounds(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    net, path = network(**options), tmp_path / "net.pt"
    checkpoint.save(net, path)
    for model in (net, path):
        for action in (
            lambda model=model: spqc.compile(model, "reference"),
            lambda model=model: spqc.verify(model, "reference", samples=2),
            lambda model=model: api.analyze(model, samples=2),
        ):
            (text,) = said(action)
            assert words in text and "features.1" in text


def test_a_rounded_bias_is_named() -> None:
    net = network(**QSPINN)
    bias = net.features[1].synapse.bias
    with torch.no_grad():
        bias[1] = 0.5
        assert said(lambda: spqc.compile(net, "reference")) == []
        bias[1] = 0.3
    (text,) = said(lambda: spqc.compile(net, "reference"))
    assert "biases are rounded by up to 0.0125" in text


@pytest.mark.parametrize(
    "options", [QSPINN, QSPINN | {"threshold": 0.7 // 2**-16 * 2**-16}, LOIHI, {"membrane": "ternary"}]
)
def test_nothing_is_said_where_nothing_is_rounded(options: dict[str, Any]) -> None:
    assert said(lambda: spqc.compile(network(**options), "reference")) == []


@pytest.mark.slow
def test_drawn_networks_are_analysed_without_notices() -> None:
    assert said(lambda: api.analyze("cnn-32h")) == []


def test_the_command_line_says_it_once_on_standard_error(spqc: Any, tmp_path: Path) -> None:
    checkpoint.save(network(**ACE, threshold=0.7), tmp_path / "net.pt")
    outcome = spqc("verify", tmp_path / "net.pt", "--target", "reference", "--samples", 2)
    assert outcome.code == 0 and outcome.out.startswith("equal:")
    assert outcome.err.count("notice:") == 1 and outcome.err.startswith("notice: integer membranes round")
