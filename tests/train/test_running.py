"""What a training can be asked for: half precision, logs, clipped gradients, gates, sparse weights, other data."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import ModelError, UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)
from spqc.train import augment, data, source, train  # noqa: E402
from spqc.train.objective import gate_penalty  # noqa: E402

SMALL = {"width": 3, "batch": 300}
LINE = [{"op": "conv2d", "out": 4, "kernel": 3, "stride": 2}, {"op": "flatten"}, {"op": "linear", "out": 10}]


def run(out: Path | None = None, **words: Any) -> Any:
    options = {**SMALL, **words.pop("options", {})}
    return train("digits", out=out, options=options, **{"epochs": 1, **words})


def tensors(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)["state_dict"]
    return found


def test_half_precision_trains_master_weights_and_evaluates_exactly(tmp_path: Path) -> None:
    run(tmp_path / "full.pt")
    run(tmp_path / "half.pt", amp=True)
    full, half = tensors(tmp_path / "full.pt"), tensors(tmp_path / "half.pt")
    assert all(tensor.dtype == torch.float32 for tensor in half.values())
    assert any(not torch.equal(full[name], half[name]) for name in full)
    assert all(torch.allclose(full[name], half[name], atol=0.2) for name in full)
    assert spqc.verify(str(tmp_path / "half.pt"), target="reference", samples=4).equal


def test_without_a_terminal_a_line_is_printed_an_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "net.pt", epochs=2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["training: epoch 1", "training: epoch 2"]


def test_processes_that_read_the_data_change_nothing(tmp_path: Path) -> None:
    run(tmp_path / "alone.pt", options={"augment": "shift"})
    run(tmp_path / "helped.pt", options={"augment": "shift"}, workers=2)
    assert (tmp_path / "alone.pt").read_bytes() == (tmp_path / "helped.pt").read_bytes()


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # the same test on every machine
    with pytest.raises(UsageError, match="CUDA"):
        run(device="cuda")


def test_logs_are_written_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(log_dir=tmp_path)
    logs = EventAccumulator(str(tmp_path)).Reload()
    assert {"training/loss", "training/learning rate", "training/test accuracy"} <= set(logs.Tags()["scalars"])
    assert [event.step for event in logs.Scalars("training/loss")] == [1, 2, 3, 4, 5]


def test_logs_without_tensorboard_are_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match="TensorBoard") as refused:
        run(log_dir=tmp_path)
    assert "spqc[tensorboard]" in refused.value.hint


def test_a_clipped_gradient_moves_the_weights_less(tmp_path: Path) -> None:
    start, free, held = tmp_path / "start.pt", tmp_path / "free.pt", tmp_path / "held.pt"
    sgd = {"optimiser": "sgd", "learning_rate": 1.0, "schedule": "constant", "momentum": 0.0}
    run(start, epochs=0)
    run(free, options=sgd)
    run(held, options=sgd | {"clip_norm": 1e-6})
    moved = [
        max(
            float((tensors(path)[name] - first).abs().max())
            for name, first in tensors(start).items()
            if "weight" in name
        )
        for path in (free, held)
    ]
    assert moved[1] < 1e-4 < moved[0]


def test_a_diverged_training_is_told() -> None:
    with pytest.raises(ModelError, match="diverged") as told:
        run(epochs=3, options={"learning_rate": 1e30})
    assert "learning_rate" in told.value.hint


def test_a_gate_target_shuts_gates() -> None:
    words: dict[str, Any] = {"preset": "spquant", "epochs": 6, "options": {"batch": 100, "learning_rate": 0.02}}
    shares = []
    for target in (None, 0.68):
        words["options"] = {**words["options"], "gate_target": target, "gate_weight": 20.0}
        report = run(**words)
        shares.append(1 - np.mean([layer.open_gates for layer in report.layers]))
    assert shares[0] < 0.4 < 0.5 < shares[1] < 0.9


def test_the_gate_penalty_is_zero_at_its_target() -> None:
    net = models.create("digits", width=2, channel_gate=True).train()
    records = list(net.observe(np.zeros((2, 1, 8, 8), np.uint8)).layers.values())
    shut = [1 - float(record.gate.detach().mean()) for record in records]
    wanted = np.mean([(share - 0.25) ** 2 for share in shut])
    assert float(gate_penalty(records, 0.25).detach()) == pytest.approx(wanted, abs=1e-6)
    assert float(gate_penalty([], 0.5)) == 0.0


@pytest.mark.parametrize("sparsity", ["l0", "block:4", "2:4"])
def test_sparse_training_ends_in_exact_zeros(tmp_path: Path, sparsity: str) -> None:
    options = {"sparsity": sparsity, "sparsity_weight": 30.0, "learning_rate": 0.1, "batch": 50}
    report = run(tmp_path / "net.pt", options=options)
    for _, layer in checkpoint.load(tmp_path / "net.pt").spiking_layers():
        assert (layer.integer_weight()[0] == 0).mean() > 0.4
    assert all(layer.weight_density < 0.6 for layer in report.layers)


def test_another_model_on_another_data_set(tmp_path: Path) -> None:
    report = train(
        "sequential",
        data="synthetic-events{steps=3 train_samples=60 test_samples=20}",
        options={"layers": LINE},
        epochs=1,
        out=tmp_path / "net.pt",
    )
    net = checkpoint.load(tmp_path / "net.pt")
    assert (net.in_shape, net.steps, net.classes, net.inputs.encoding) == ((2, 16, 16), 3, 10, "spikes")
    assert report.data == "synthetic-events{steps=3 train-samples=60 test-samples=20}"


def test_frames_take_the_shape_that_the_network_asks_for(tmp_path: Path) -> None:
    cube = "synthetic-cube{bands=6 patch=3 side=12}"
    options = {"in_shape": [6, 3, 3], "layers": [{"op": "conv2d", "out": 4, "kernel": 3}, {"op": "linear", "out": 6}]}
    train("sequential", data=cube, options=options, epochs=1, out=tmp_path / "net.pt")
    net = checkpoint.load(tmp_path / "net.pt")
    assert (net.in_shape, net.inputs.coding) == ((6, 3, 3), "direct")
    with pytest.raises(UsageError, match="shape"):
        train("sequential", data=cube, options=options | {"in_shape": [5, 3, 3]}, epochs=1)


def test_data_and_network_must_agree() -> None:
    events = "synthetic-events{steps=3 train_samples=60 test_samples=20}"
    with pytest.raises(UsageError, match="3 frames"):
        train("sequential", data=events, options={"layers": LINE, "steps": 4}, epochs=0)
    with pytest.raises(UsageError, match="shape"):
        train("digits", data=events, options={"in_shape": [1, 8, 8]}, epochs=0)
    with pytest.raises(UsageError, match="synthetic"):
        train("digits", data="synthetic-event", epochs=0)
    with pytest.raises(UsageError, match="option"):
        train("digits", data="synthetic-events{step=3}", epochs=0)


def test_images_are_cut_and_mirrored_together_with_all_their_frames() -> None:
    codes = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4) + 1
    moved = augment.apply("crop-flip", codes, np.array([[4, 4, 1], [5, 4, 0]]))
    np.testing.assert_array_equal(moved[0], codes[0, ..., ::-1])
    np.testing.assert_array_equal(moved[1, :, :3], codes[1, :, 1:])
    assert not moved[1, :, 3].any()
    assert not augment.draw("none", np.random.default_rng(0), 5).any()
    np.testing.assert_array_equal(augment.apply("none", codes, np.zeros((2, 3), np.int64)), codes)


def test_a_validation_split_chooses_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    real, load, opened = data.find("digits"), data.load, []

    def loaded(name: str, root: Path | None, split: str, **options: Any) -> data.DataSet:
        opened.append(split)
        monkeypatch.setattr(source.data, "find", lambda name: real)
        found = load(name, root, "test" if split == "val" else split, **options)
        monkeypatch.setattr(source.data, "find", lambda name: three)
        return found

    three = dataclasses.replace(real, splits=("train", "val", "test"))
    monkeypatch.setattr(source.data, "load", loaded)
    monkeypatch.setattr(source.data, "find", lambda name: three)
    assert run().chosen_by == "validation"
    assert sorted(opened) == ["test", "train", "val"]
