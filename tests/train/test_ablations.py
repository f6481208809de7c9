"""The page of the ablations is what its command writes; an interrupted command goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.places import ROOT

pytest.importorskip("torch")
pytest.importorskip("sklearn")


@pytest.fixture
def ablations(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    import bench.ablations.__main__ as module

    return module


def test_the_page_is_that_of_the_results(ablations: Any) -> None:
    assert ablations.PAGE.read_text() == ablations.page(ablations.read())


def test_every_case_can_be_resolved(ablations: Any) -> None:
    from spqc.train import settings, source

    for task in ablations.TASKS:
        for case in ablations.CASES:
            named = source.parse(task.data)
            chosen = {**task.options, **case.options, "steps": 4}
            resolved = settings.resolve(task.model, named.text, case.preset, chosen)
            assert resolved.model == task.model and resolved.network["steps"] == 4


def test_runs_that_are_there_are_not_repeated(ablations: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[str] = []

    def one(task: Any, case: Any, seed: int) -> dict[str, float]:
        ran.append(f"{task.name} | {case.name} | {seed}")
        if len(ran) == 3:
            raise KeyboardInterrupt
        shares = dict.fromkeys(("spike_rate", "open_gates", "kept", "zero_states", "weight_density"), 0.25)
        return {"test_accuracy": 0.5, **shares}

    for name, value in (("RESULTS", tmp_path / "a.json"), ("PAGE", tmp_path / "a.md"), ("one", one)):
        monkeypatch.setattr(ablations, name, value)
    monkeypatch.setattr(sys, "argv", ["ablations", "--only", "T = 10 | 0"])
    with pytest.raises(KeyboardInterrupt):
        ablations.main()
    ablations.main()
    assert len(ran) == 4 and len(set(ran)) == 3 == len(json.loads((tmp_path / "a.json").read_text())["runs"])
    assert "50.00 ± ? (1 of 3 seeds)" in (tmp_path / "a.md").read_text()
