"""`load` and what it returns, without any files."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spqc.foundation.errors import UsageError
from spqc.ir.inputs import InputFormat
from spqc.train import data

SYNTHETIC = ["synthetic-events", "synthetic-cube"]


def test_what_there_is() -> None:
    names = data.available()
    assert names == sorted(names)
    assert {"digits", *SYNTHETIC} <= set(names)
    for name in names:
        known = data.find(name)
        assert known.summary and known.splits
        assert bool(known.files) == bool(known.source)
        assert dataclasses.is_dataclass(known.options)
        known.options()  # every option has a default


@pytest.mark.parametrize("name", ["digits", *SYNTHETIC])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_data_set_is_what_it_says(name: str, split: str) -> None:
    if name == "digits":
        pytest.importorskip("sklearn")
    found = data.load(name, split=split)
    codes, label = found[0]
    assert codes.dtype == np.uint8 and codes.shape == found.sample_shape
    assert 0 <= label < found.classes and isinstance(label, int)
    assert codes.max() <= InputFormat(found.encoding).max
    assert split in found.description
    x, y = found.arrays([0, 2, 5])
    assert x.shape == (3, *found.sample_shape) and y.tolist() == found.labels[[0, 2, 5]].tolist()
    np.testing.assert_array_equal(x[1], found[2][0])
    np.testing.assert_array_equal(found[-1][0], found[len(found) - 1][0])
    with pytest.raises(IndexError):
        found[len(found)]


def test_subset_and_repeated() -> None:
    cube = data.load("synthetic-cube")
    part = cube.subset([3, 1]).repeated(4)
    assert len(part) == 2 and part.steps == 4
    codes, label = part[0]
    assert codes.shape == (4, *cube.shape) and label == cube.labels[3]
    for frame in codes:
        np.testing.assert_array_equal(frame, cube[3][0])
    assert part.arrays()[0].shape == (2, 4, *cube.shape)
    with pytest.raises(UsageError, match="4 frames already"):
        part.repeated(2)
    with pytest.raises(UsageError, match="1 or more"):
        cube.repeated(0)


def test_wrong_names_are_suggested() -> None:
    with pytest.raises(UsageError) as wrong:
        data.load("synthetic-event")
    assert wrong.value.hint == "did you mean 'synthetic-events'?"
    with pytest.raises(UsageError, match="no split 'tests'") as wrong:
        data.load("digits", split="tests")
    assert wrong.value.hint == "did you mean 'test'?"
    with pytest.raises(UsageError, match="no option 'step'") as wrong:
        data.load("synthetic-events", step=3)
    assert wrong.value.hint == "did you mean 'steps'?"


def test_no_torch() -> None:
    code = "import sys; from spqc.train import data; data.load('synthetic-cube')[0]; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_new_module_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from spqc.train.data.sets import synthetic_cube\n"
        "DATA_SETS = {'mine': synthetic_cube.DATA_SETS['synthetic-cube']}\n"
    )
    monkeypatch.setattr(data.sets, "__path__", [*data.sets.__path__, str(tmp_path)])
    assert "mine" in data.available()
    assert data.load("mine").name == "mine"
    del sys.modules[f"{data.sets.__name__}.mine"]
