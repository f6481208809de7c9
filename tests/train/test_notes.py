"""What a user should know about the data is said, and kept in the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from event_files import dat, random_events

from spqc import api

pytest.importorskip("torch")

from spqc.train import train

DENSE = [{"op": "flatten"}, {"op": "linear", "out": 4}, {"op": "linear", "out": 2}]


def n_cars(root: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cars", "background"):
            folder = root / f"n-cars_{split}" / name
            folder.mkdir(parents=True)
            for index in range(2):
                events = random_events(rng, 20, 120, 100)
                late = [(events[-1][0] - 3, 1, 1, 1)] if (split, name, index) == ("train", "cars", 1) else []
                (folder / f"obj_{index}_td.dat").write_bytes(dat(events + late, 100, 120))


def test_events_that_were_put_in_order_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n_cars(tmp_path)
    options = {"layers": DENSE}
    data = "n-cars{steps=2 height=4 width=4 late=5}"
    report = train("sequential", data=data, root=tmp_path, options=options, epochs=1, batch=4)
    assert report.notes == ("1 event in 1 sample of 'n-cars' (train) came too late: put in order",)
    assert f"note: {report.notes[0]}" in capsys.readouterr().err
    assert api.data_samples(data, tmp_path, 4, 0).description.endswith("split 'test' (seed 0)")
