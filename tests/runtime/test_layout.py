"""Which axes are samples and steps: a notice where an array can be meant in two ways, and a word to say it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc
from spqc import api
from spqc.cli import shared
from spqc.commands.doctor import tiny_graph
from spqc.foundation.errors import InputError, Notice, UsageError
from spqc.ir import Graph, parse_graph
from spqc.ir.axis_order import LAYOUTS, ambiguity, arranged

Run = Callable[..., Any]
STEPS, SHAPE = 2, (4,)
RNG = np.random.default_rng(0)
TN = RNG.integers(0, 2, (STEPS, 3, *SHAPE)).astype(np.uint8)
SQUARE = np.array([[[1, 1, 1, 0], [0, 0, 0, 0]], [[0, 1, 1, 1], [1, 0, 1, 0]]], np.uint8)


def said(action: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [str(warning.message) for warning in caught if issubclass(warning.category, Notice)]


def static() -> Graph:
    text = str(tiny_graph()).replace("%x: spike<4>", "%x: spike<4> @const").replace("= linear %x", "= linear %r")
    text = text.replace("  %0: ", "  %r: spike<4> = repeat %x\n  %0: ", 1)
    return parse_graph(text, dict(tiny_graph().data))


def test_each_layout_reads_what_it_names() -> None:
    artifact = spqc.compile(tiny_graph(), "reference")
    wanted = artifact.run(TN.swapaxes(0, 1))
    np.testing.assert_array_equal(artifact.run(TN, layout="TN"), wanted)
    np.testing.assert_array_equal(artifact.run(TN.swapaxes(0, 1), layout="NT"), wanted)
    np.testing.assert_array_equal(artifact.run(TN[:, 1], layout="T"), wanted[1:2])
    np.testing.assert_array_equal(artifact.run(TN[0], layout="N"), artifact.run(TN[0]))
    assert (artifact.run(SQUARE, layout="TN") != artifact.run(SQUARE, layout="NT")).any()


@pytest.mark.parametrize(("x", "layouts"), [(SQUARE, ("TN", "NT")), (SQUARE[0], ("T", "N"))])
def test_an_ambiguous_array_is_taken_alike_at_every_door_with_a_notice(x: Any, layouts: tuple[str, str]) -> None:
    graph, artifact = tiny_graph(), spqc.compile(tiny_graph(), "reference")
    doors: list[Callable[..., object]] = [
        lambda **how: artifact.run(x, **how),
        lambda **how: artifact.predict(x, **how),
        lambda **how: artifact.trace(x, **how),
        lambda **how: artifact.observe(x, **how),
        lambda **how: api.run(artifact, x, **how),
        lambda **how: api.classify(artifact, x, **how),
        lambda **how: api.verify(graph, artifact=artifact, x=x, **how),
        lambda **how: api.bench(artifact, x=x, repeats=1, batches=(1,), **how),
        lambda **how: api.analyze(graph, x=x, **how),
        lambda **how: api.compile(graph, "reference", calibrate=x, **how),
    ]
    for door in doors:
        (text,) = said(door)
        assert str(list(x.shape)) in text and all(f"{name} " in text for name in layouts)
        for name in layouts:
            assert said(lambda door=door, name=name: door(layout=name)) == []
    taken, other = artifact.run(x, layout=layouts[1]), artifact.run(x, layout=layouts[0])  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(artifact.run(x), taken)
    assert taken.shape != other.shape or (taken != other).any()


@pytest.mark.parametrize("shape", [(3, STEPS, *SHAPE), (1, STEPS, *SHAPE), (3, *SHAPE), (1, *SHAPE)])
def test_nothing_is_said_of_a_shape_with_one_meaning(shape: tuple[int, ...]) -> None:
    artifact = spqc.compile(tiny_graph(), "reference")
    assert said(lambda: artifact.run(np.zeros(shape, np.uint8))) == []
    assert said(lambda: artifact.step(np.zeros((STEPS, *SHAPE), np.uint8))) == []


def test_nothing_is_said_of_one_step_still_inputs_and_drawn_samples() -> None:
    assert ambiguity((1, 1, 4), SHAPE, 1, static=False) == ambiguity((1, 4), SHAPE, 1, static=False) == ""
    artifact = spqc.compile(static(), "reference")
    assert said(lambda: artifact.run(SQUARE[0])) == []
    assert said(lambda: spqc.verify(tiny_graph(), "reference", samples=STEPS)) == []
    assert said(lambda: api.analyze(tiny_graph(), samples=STEPS)) == []


@pytest.mark.parametrize(
    ("shape", "layout", "hint"),
    [
        ((STEPS, 3, *SHAPE), None, "layout TN"),
        ((3, STEPS, *SHAPE), "TN", "layout NT"),
        ((3, *SHAPE), "T", "layout N reads"),
        ((STEPS, *SHAPE), "TN", "layout N or T"),
        ((3, 3, 3), None, "2 steps on frames"),
    ],
)
def test_a_shape_that_does_not_fit(shape: tuple[int, ...], layout: Any, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        arranged(np.zeros(shape), SHAPE, STEPS, layout)
    assert hint in caught.value.hint and str(list(shape)) in caught.value.message


@pytest.mark.parametrize("layout", ["nt", "NTC", "", 3])
def test_no_such_layout(layout: Any) -> None:
    with pytest.raises(UsageError, match="one of NT, TN, N, T"):
        spqc.compile(tiny_graph(), "reference").run(SQUARE, layout=layout)


def test_a_layout_without_inputs() -> None:
    for action in (
        lambda: api.verify(tiny_graph(), "reference", layout="TN"),
        lambda: api.analyze(tiny_graph(), layout="TN"),
        lambda: api.bench(spqc.compile(tiny_graph(), "reference"), layout="TN"),
        lambda: api.compile(tiny_graph(), "reference", layout="TN"),
    ):
        with pytest.raises(UsageError, match="layout"):
            action()


def test_no_samples_in_any_layout() -> None:
    for shape, layout in (((0, STEPS, *SHAPE), None), ((STEPS, 0, *SHAPE), "TN"), ((0, *SHAPE), "N")):
        with pytest.raises(InputError, match="no samples"):
            arranged(np.zeros(shape), SHAPE, STEPS, layout)  # type: ignore[arg-type]


def test_the_command_line_knows_the_same_layouts() -> None:
    assert shared.LAYOUTS == LAYOUTS


def test_from_the_command_line(spqc: Run, tiny: Path) -> None:
    np.save("x.npy", SQUARE)
    assert spqc("compile", "tiny.tg", "--target", "reference", "-o", "net.spqc").code == 0
    commands = {
        "run": ["net.spqc"],
        "verify": ["tiny.tg", "net.spqc"],
        "bench": ["net.spqc", "--repeats", 1, "--batch", 1],
        "analyze": ["tiny.tg"],
    }
    for command, arguments in commands.items():
        plain = spqc(command, *arguments, "--input", "x.npy", "--json")
        assert plain.code == 0 and plain.err.count("notice: the input of shape [2, 2, 4] was taken as [N, T, ...]") == 1
        json.loads(plain.out)
        for layout in ("NT", "TN"):
            outcome = spqc(command, *arguments, "--input", "x.npy", "--layout", layout, "--json")
            assert outcome.code == 0 and outcome.err == ""
        assert spqc(command, *arguments, "--input", "x.npy", "--layout", "XY").code == 2
    first, second = (spqc("run", "net.spqc", "--input", "x.npy", "--output", name, "--layout", name[:2])
                     for name in ("TN.npy", "NT.npy"))  # fmt: skip
    assert first.code == second.code == 0 and (np.load("TN.npy") != np.load("NT.npy")).any()
    refused = spqc("run", "net.spqc", "--data", "digits", "--layout", "TN")
    assert refused.code == 2 and "--layout is for --input" in refused.err
    assert spqc("verify", "tiny.tg", "net.spqc", "--layout", "TN").code == 2
