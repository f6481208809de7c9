"""Texts of graphs, and live objects, are told from others by how they begin and by their types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spqc.commands.doctor import tiny_graph
from spqc.commands.sources import read_model
from spqc.foundation.errors import ModelError
from spqc.frontends.graph_text import GraphText
from spqc.frontends.spquant import SpQuant
from spqc.plugins.frontend import Match, Source

GRAPH = "graph net(%x: spike<4>) steps=2 {\n  return %x\n}\n"
TEXTS: dict[str, tuple[str, str, float]] = {
    "graph": ("a.tg", GRAPH, 1.0),
    "behind_comments": ("a.tg", f"// pipeline: remove-dead\n\n  // more\n{GRAPH}", 1.0),
    "program": ("a.tg", f"program net mode=run steps=2 arena=64 {{\n}}\n{GRAPH}", 1.0),
    "another_name": ("a.txt", GRAPH, 0.6),
    "only_the_name": ("a.tg", "hello\n", 0.1),
    "binary": ("a.tg", "\x00\x80", 0.1),
    "empty": ("a.tg", "", 0.1),
    "graphviz": ("a.dot", "graph net {\n  a -- b\n}\n", 0.0),
    "graph_later": ("a.txt", f"hello\n{GRAPH}", 0.0),
    "nothing": ("a.txt", "", 0.0),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str, tmp_path: Path) -> None:
    file, text, confidence = TEXTS[name]
    (tmp_path / file).write_text(text, encoding="latin-1")
    match = GraphText.matches(Source(file, tmp_path / file))
    assert match.confidence == confidence and match.reason


def test_a_graph_under_another_name_compiles(tiny: Path) -> None:
    renamed = tiny.rename("tiny.txt")
    assert isinstance(read_model(renamed).frontend, GraphText)


def test_live_objects() -> None:
    assert GraphText.matches(Source("graph", model=tiny_graph())) == Match.sure("a graph")
    assert SpQuant.matches(Source("graph", model=tiny_graph())).confidence == 0.0
    assert GraphText.matches(Source("3", model=3)) == Match.no("a int is no graph")
    with pytest.raises(ModelError) as caught:
        read_model(np.zeros(3))
    assert "graph-text declined: a ndarray is no graph" in str(caught.value)
    assert "spquant declined: a ndarray is no network of spqc.nn, and wraps none" in str(caught.value)
