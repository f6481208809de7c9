"""docs/analyze.md shows what the command prints."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from support.places import ROOT

pytest.importorskip("torch")


def test_analyze_prints_what_its_page_shows(spqc: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (shown,) = re.findall(r"^```text\n(.*?)^```$", (ROOT / "docs/analyze.md").read_text(), re.MULTILINE | re.DOTALL)
    found = spqc("analyze", "examples/digits-spquant.pt").out  # type: ignore[attr-defined]
    program = re.compile(r"^  program for a CPU.*$", re.MULTILINE)  # changes with kernels and layouts
    assert program.sub("", found) == program.sub("", shown)
