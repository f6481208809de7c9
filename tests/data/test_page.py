"""docs/data.md names every data set and shows code that runs."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.places import ROOT

from spqc.commands.list import entries
from spqc.train import data

PAGE = (ROOT / "docs" / "data.md").read_text()


def test_the_table_is_complete() -> None:
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE)) == data.available()


def test_the_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    loading, decoding = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(loading, {})
    assert capsys.readouterr().out.startswith("(2, 16, 16) 4 spikes ('east', ")
    detector = SimpleNamespace(run=lambda x: np.full((len(x), 4, 576), -9.0))  # nothing is seen anywhere
    names: dict[str, Any] = {"artifact": detector, "x": np.zeros((3, 2))}
    exec(decoding, names)
    assert [boxes.shape for boxes in names["found"]] == [(0, 6)] * 3


def test_a_data_set_alone_says_what_it_reads() -> None:
    (one,) = entries("data", "n-caltech101")
    assert "Caltech101 with one folder a class of .bin files" in one.summary and "Mendeley" in one.summary
    listed = {entry.name: entry.summary for entry in entries("data")}
    assert listed["n-caltech101"] == data.find("n-caltech101").summary
    assert entries("data", "digits")[0].summary == listed["digits"]
