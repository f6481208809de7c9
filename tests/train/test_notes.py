"""What a user should know about the data is said, and kept in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.event_files import dat, random_events, saccades
from support.hand_network import hand

from spqc import api
from spqc.cli import main
from spqc.foundation.errors import InputError, ModelError, UsageError

pytest.importorskip("torch")

from spqc.train import loop, train

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


def arrays(root: Path, labels: list[int], tested: list[int] | None = None, shape: tuple[int, ...] = (1, 2, 2)) -> Path:
    root.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for split, y in (("train", labels), ("test", labels if tested is None else tested)):
        np.savez(root / f"{split}.npz", x=rng.integers(0, 256, (len(y), *shape), dtype=np.uint8), y=np.array(y, int))
    return root


def spike_lists(root: Path, labels: list[int]) -> Path:
    root.mkdir(exist_ok=True)
    for split in ("train", "test"):
        spikes = np.arange(len(labels))
        np.savez(root / f"{split}.npz", sample=spikes, neuron=spikes % 4, time=spikes * 0.5, label=np.array(labels))
    return root


def run(root: Path, data: str = "arrays", **words: Any) -> Any:
    dense = [{"op": "flatten"}, *DENSE[1:-1], {"op": "linear"}]
    options = {"layers": dense[1:] if data.startswith("spike") else dense, **words.pop("options", {})}
    return train("sequential", data=data, root=root, options=options, **{"epochs": 1, "batch": 4, **words})


@pytest.mark.parametrize(("data", "write"), [("arrays", arrays), ("spike-trains", spike_lists)])
def test_a_class_that_nobody_has_is_named(
    data: str, write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "root", [1, 2, 3, 3, 2, 1])
    report = run(root, data, out=tmp_path / "net.pt")
    expected = "1 of 4 classes has no sample to train on: 'class 0'; are they numbered from 1? --labels-from 1"
    assert report.notes == (expected,) and f"note: {expected}\n" in capsys.readouterr().err
    assert "<4>" in api.inspect(tmp_path / "net.pt").output
    report = run(root, data, labels_from=1, out=tmp_path / "net.pt")
    assert report.notes == () and report.data.endswith("{labels-from=1}")
    assert "<3>" in api.inspect(tmp_path / "net.pt").output
    assert capsys.readouterr().err.startswith("training: epoch 1")
    assert run(root, f"{data}{{labels-from=1}}").notes == ()


def test_gaps_are_named_without_advice(tmp_path: Path) -> None:
    (note,) = run(arrays(tmp_path, [0, 0, 2, 2])).notes
    assert note == "1 of 3 classes has no sample to train on: 'class 1'"
    (note,) = run(arrays(tmp_path, [7, 8, 8, 7])).notes
    assert note.startswith("7 of 9 classes have no sample to train on: 'class 0', 'class 1', ") and "2 more" in note


def test_labels_outside_the_classes_are_refused(tmp_path: Path) -> None:
    arrays(tmp_path, [1, 2, 3, 3])
    for data, words in (
        ("arrays{classes=3}", r"a class 3, beyond 0\.\.2"),
        ("arrays{labels-from=2}", r"a class 1, beyond 2\.\.3"),
        ("arrays{labels-from=9}", r"a class 1, beyond 9\.\.9"),
    ):
        with pytest.raises(InputError, match=words) as found:
            run(tmp_path, data, out=tmp_path / "net.pt")
        assert ("labels-from=1" in found.value.hint) == (data == "arrays{classes=3}")
    for wrong in ([0, -1, 1, 1], [0, 1, 1, 10**12]):
        with pytest.raises(InputError, match="there is a class"):
            run(arrays(tmp_path, wrong), out=tmp_path / "net.pt")
    assert not (tmp_path / "net.pt").exists() and not (tmp_path / "net.state.pt").exists()


def test_labels_from_is_of_numbered_classes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the classes of 'digits' are no numbers of yours"):
        train("digits", labels_from=1, epochs=0)
    with pytest.raises(UsageError, match="says with which number the classes begin"):
        run(arrays(tmp_path, [1, 2, 1, 2]), "arrays{labels-from=1}", labels_from=0)


def test_splits_that_differ_are_refused_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays(tmp_path, [0, 1, 0, 1], [0, 2])
    with pytest.raises(InputError, match="'test' of 'arrays' has 3 classes, 'train' 2"):
        run(tmp_path, out=tmp_path / "net.pt")
    assert run(tmp_path, "arrays{classes=3}").notes[0].startswith("1 of 3 classes has no sample")
    capsys.readouterr()
    arrays(tmp_path, [0, 1, 0, 1])
    np.savez(tmp_path / "test.npz", x=np.zeros((2, 1, 2, 3), np.uint8), y=np.array([0, 1]))
    with pytest.raises(InputError, match=r"the shape of 'train' is \(1, 2, 2\), of 'test' \(1, 2, 3\)"):
        run(tmp_path, out=tmp_path / "net.pt")
    assert capsys.readouterr().err == "" and not list(tmp_path.glob("*.pt"))


def test_a_split_without_samples_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("accordion", "yin_yang"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image_0.bin").write_bytes(saccades(random_events(rng, 20, 240, 180)))
    with pytest.raises(UsageError, match="the split 'test' of 'n-caltech101' has no sample"):
        run(tmp_path, "n-caltech101{steps=2 height=4 width=4}", out=tmp_path / "net.pt")


LABELS = np.array([0, 1, 4, 2])


def hand_inputs() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 3, 1, 4, 4), dtype=np.uint8)


def test_labels_of_a_run_are_checked_and_may_begin_with_1() -> None:
    artifact, x = api.compile(hand(), "reference"), hand_inputs()
    plain = api.classify(artifact, x, LABELS)
    shifted = api.classify(artifact, x, LABELS + 1, labels_from=1)
    assert plain.correct == shifted.correct == int((np.array(plain.predictions) == LABELS).sum())
    assert shifted.predictions == [one + 1 for one in plain.predictions]
    for labels, words in (
        (LABELS + 1, r"label 2 is 5, beyond the classes 0\.\.4"),
        (LABELS - 1, r"label 0 is -1, beyond the classes 0\.\.4"),
        (LABELS[:3], r"labels of shape \[3\] for 4 samples"),
        (LABELS[:, np.newaxis], r"labels of shape \[4, 1\]"),
        (LABELS * np.nan, "labels must be integers, not float64"),
    ):
        with pytest.raises(InputError, match=words) as found:
            api.classify(artifact, x, labels)
        assert ("labels_from=1" in found.value.hint) == words.startswith("label 2")


def test_the_command_counts_what_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api.compile(hand(), "reference", out=tmp_path / "a.spqc")
    np.save(tmp_path / "x.npy", hand_inputs())
    words = ["run", str(tmp_path / "a.spqc"), "--input", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")]
    right = np.array(api.classify(tmp_path / "a.spqc", hand_inputs()).predictions)
    for first in (0, 1):
        np.save(tmp_path / "y.npy", right + first)
        assert main([*words, "--labels-from", str(first)]) == 0
        assert "4 of 4 right, 100.00 %" in capsys.readouterr().out
    np.save(tmp_path / "y.npy", LABELS + 1)
    assert main(words) == 2 and "numbered from 1" in capsys.readouterr().err
    assert main(["run", str(tmp_path / "a.spqc"), "--data", "digits", "--labels-from", "1"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"save_seconds": float("nan")}, "save_seconds must be 0 or more"),
        ({"save_seconds": -1.0}, "save_seconds must be 0 or more"),
        ({"options": {"learning_rate": float("inf")}}, "learning_rate must be positive, at most 1e\\+30"),
        ({"options": {"learning_rate": float("nan")}}, "learning_rate must be positive"),
        ({"options": {"validation": 0.1}}, r"validation=0\.1 of 4 samples holds none out"),
        ({"data": "arrays{classes=-1}"}, "classes must be between 0"),
    ],
)
def test_words_that_cannot_work_are_refused(words: dict[str, Any], message: str, tmp_path: Path) -> None:
    arrays(tmp_path, [0, 1, 0, 1])
    with pytest.raises(UsageError, match=message):
        run(tmp_path, out=tmp_path / "net.pt", **words)
    assert not list(tmp_path.glob("net*"))


@pytest.mark.parametrize("shape", [(1, 0, 2), (0,)])
def test_samples_without_a_code_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'x' is uint8"):
        run(arrays(tmp_path, [0, 1, 0, 1], shape=shape))


def test_weights_that_are_lost_in_the_last_step_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays(tmp_path, [0, 1, 0, 1])
    real = loop._Loop._update

    def losing(self: Any, *batch: Any) -> Any:
        loss = real(self, *batch)
        self.trained[0].data.fill_(float("inf"))
        return loss

    monkeypatch.setattr(loop._Loop, "_update", losing)
    with pytest.raises(ModelError, match="its parameters are no longer finite"):
        run(tmp_path, out=tmp_path / "net.pt")
    assert not (tmp_path / "net.pt").exists()


def test_a_wrong_number_of_processes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UsageError, match="WORLD_SIZE is 'two'"):
        run(arrays(tmp_path, [0, 1, 0, 1]))
