"""Checkpoints: what is saved comes back, and every bad file is a clear error that runs nothing."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import ModelError, OutputError

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)


def small(**options: Any) -> Any:
    layers = [{"op": "conv2d", "out": 4, "kernel": 3, "padding": 1}, {"op": "linear"}]
    return models.create("sequential", in_shape=(1, 4, 4), classes=3, steps=2, layers=layers, **options)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.pt"
    checkpoint.save(small(spatial_mask=0.4, channel_gate=True), path)
    return path


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def message(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        checkpoint.load(path)
    assert caught.value.where == str(path)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    "options",
    [{}, {"membrane": (-2.0, -1.0, 0.0, 1.0)}, {"membrane": "binary"}, {"weight_bits": 32, "classifier_bits": 32}],
)
def test_a_network_comes_back_as_it_was(tmp_path: Path, options: dict[str, Any]) -> None:
    net = small(seed=3, **options)
    checkpoint.save(net, tmp_path / "net.pt")
    back = checkpoint.load(tmp_path / "net.pt")
    x = np.random.default_rng(0).random((5, 2, 1, 4, 4))
    assert torch.equal(back(x), net(x))
    assert (back.config, back.model, back.training) == (net.config, "sequential", False)


def test_saving_over_a_file_leaves_no_temporary_one(saved: Path) -> None:
    checkpoint.save(small(), saved)
    assert list(saved.parent.iterdir()) == [saved]


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        checkpoint.save(small(), tmp_path / "missing" / "net.pt")


def test_a_failed_write_keeps_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        checkpoint.save(small(), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    assert "no such file" in message(tmp_path / "none.pt")
    (tmp_path / "empty.pt").touch()
    assert "empty" in message(tmp_path / "empty.pt")
    assert "is a file" in message(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    assert "damaged or truncated" in message(saved)


def test_foreign_files(tmp_path: Path) -> None:
    text, archive, pickled, tensors = (tmp_path / name for name in ("a.txt", "b.zip", "c.pkl", "d.pt"))
    text.write_text("weights = none\n" * 50)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme", "hello")
    pickled.write_bytes(pickle.dumps({"format": "spqc-checkpoint"}))
    torch.save({"layer.weight": torch.ones(3)}, tensors)
    for path in (text, archive, pickled, tensors):
        assert "not an spqc checkpoint" in message(path) or "not a checkpoint" in message(path)


class Touch:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare"])
def test_code_in_a_file_is_never_run(tmp_path: Path, form: str) -> None:
    path, trap = tmp_path / "evil.pt", tmp_path / "touched"
    content = {"format": "spqc-checkpoint", "version": 1, "model": "digits", "config": {}, "state_dict": Touch(trap)}
    if form == "bare":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    found = message(path)
    assert form == "bare" or "never loads" in found
    assert not trap.exists()
    Touch(trap).__reduce__()[0](trap)
    assert trap.exists(), "the trap itself works"


def test_a_blocked_module_is_named_as_code_too(saved: Path) -> None:
    class Shell:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, ("false",)

    content = torch.load(saved, weights_only=True)
    torch.save({**content, "model": Shell()}, saved)
    assert "never loads" in message(saved)


def test_other_versions(saved: Path) -> None:
    edit(saved, lambda content: content.update(version=2))
    with pytest.raises(ModelError) as caught:
        checkpoint.load(saved)
    assert "version 2" in caught.value.message
    assert "newer" in caught.value.hint


def test_unknown_model_and_option(saved: Path) -> None:
    edit(saved, lambda content: content.update(model="sequental"))
    with pytest.raises(ModelError, match="did you mean 'sequential'"):
        checkpoint.load(saved)
    edit(saved, lambda content: content.update(model="sequential", config={**content["config"], "leek": 0.5}))
    with pytest.raises(ModelError, match=r"leek(.|\n)*leak"):
        checkpoint.load(saved)


@pytest.mark.parametrize("config", [{"in_shape": "x"}, {"in_shape": [1, 4, 4], "steps": "two"}, {"layers": 3}, {}])
def test_senseless_configurations(saved: Path, config: dict[str, Any]) -> None:
    edit(saved, lambda content: content.update(config=config))
    assert "configuration is not valid" in message(saved)


def test_weights_of_another_configuration_name_the_parameter(saved: Path) -> None:
    edit(saved, lambda content: content["config"]["layers"][0].update(out=5))
    assert "'features.0.synapse.weight' has shape [4, 1, 3, 3]" in message(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_name_the_parameter(saved: Path, value: float) -> None:
    edit(saved, lambda content: content["state_dict"]["classifier.bias"].fill_(value))
    assert "'classifier.bias' holds NaN or infinity" in message(saved)


def test_missing_extra_and_negative(saved: Path) -> None:
    original = saved.read_bytes()
    edit(saved, lambda content: content["state_dict"].pop("classifier.bias"))
    assert "'classifier.bias' is missing" in message(saved)
    saved.write_bytes(original)
    edit(saved, lambda content: content["state_dict"].update(more=torch.ones(1)))
    assert "'more' does not exist" in message(saved)
    saved.write_bytes(original)
    edit(saved, lambda content: content["state_dict"]["features.0.synapse.norm.variance"].fill_(-1.0))
    assert "negative variance" in message(saved)
