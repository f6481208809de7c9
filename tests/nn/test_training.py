"""Training: it learns, it repeats itself, and its errors come before the work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT

from spqc.foundation.errors import OutputError, UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from spqc.nn import checkpoint  # noqa: E402  (torch must be there)
from spqc.train import data, digits, train  # noqa: E402
from spqc.train.evaluation import accuracy  # noqa: E402

EXAMPLES = ROOT / "examples"


def test_the_split_is_stratified_and_disjoint() -> None:
    split = digits.load()
    assert split.train_images.shape == (1437, 1, 8, 8)
    assert split.test_images.shape == (360, 1, 8, 8)
    assert split.test_images.max() == 16
    assert np.bincount(split.test_labels).min() >= 34
    np.testing.assert_array_equal(digits.test_set().images, digits.load().test_images)


def test_two_epochs_learn_and_the_same_seed_repeats(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = {"preset": "spquant+adaptive", "epochs": 2, "seed": 3, "options": {"width": 8, "learning_rate": 0.01}}
    first = train("digits", out=tmp_path / "a.pt", **words)
    second = train("digits", out=tmp_path / "b.pt", **words)
    assert first.test_accuracy > 0.25
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    assert first.layers == second.layers
    assert [layer.name for layer in first.layers] == ["features.0", "features.1", "features.3", "features.6"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.best.pt", "a.pt", "b.best.pt", "b.pt"]
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "training" in printed.err


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    for seed in (0, 1):
        train("digits", out=tmp_path / f"{seed}.pt", epochs=0, seed=seed)
    assert (tmp_path / "0.pt").read_bytes() != (tmp_path / "1.pt").read_bytes()


def test_the_best_epoch_is_kept_beside_the_last(tmp_path: Path) -> None:
    report = train("digits", epochs=3, seed=1, out=tmp_path / "net.pt", options={"width": 4, "validation": 0.2})
    best = checkpoint.load(tmp_path / "net.best.pt")
    assert report.chosen_by == "validation" and report.best_path == str(tmp_path / "net.best.pt")
    assert 1 <= report.best_epoch <= 3 and report.best_accuracy > 0.1
    assert accuracy(best, data.load("digits", split="test")) > 0.1


def test_unknown_names_are_suggested() -> None:
    with pytest.raises(UsageError, match="quant"):
        train("digits", preset="quantt")
    with pytest.raises(UsageError, match="digits"):
        train("digit")
    with pytest.raises(UsageError, match="epochs"):
        train("digits", epochs=-1)
    with pytest.raises(UsageError, match="--data"):
        train("sequential")


def test_an_unwritable_place_is_told_before_training(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        train("digits", out=tmp_path / "missing" / "net.pt")


@pytest.mark.parametrize(
    ("name", "least"), [("digits.pt", 0.98), ("digits-spquant.pt", 0.98), ("digits-float.pt", 0.985)]
)
def test_committed_checkpoints_are_as_accurate_as_the_page_says(name: str, least: float) -> None:
    path = EXAMPLES / name
    assert path.stat().st_size < 1_000_000
    assert accuracy(checkpoint.load(path), data.load("digits", split="test")) >= least
