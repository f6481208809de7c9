"""One training run from a preset to a checkpoint and a report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from spqc.errors import OutputError, UsageError
from spqc.nn import checkpoint, models

from . import digits, presets
from .loop import TrainReport, accuracy, fit, layer_reports

DATA_SETS = ("digits",)


def train(
    name: str = "digits",
    *,
    preset: str = "quant",
    epochs: int | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> TrainReport:
    """Train the model `name` on its data set and write a checkpoint to `out`; the same arguments give the same weights.

    Raises UsageError for an unknown name or preset, OutputError if `out` cannot be written.
    """
    if name not in DATA_SETS:
        raise UsageError(f"there is no data set for {name!r}", hint=f"spqc trains {', '.join(DATA_SETS)}")
    chosen = presets.find(preset)
    rounds = chosen.epochs if epochs is None else epochs
    if rounds < 0:
        raise UsageError(f"epochs must be 0 or more, not {rounds}")
    if out is not None:
        _require_writable(Path(out))
    data = digits.load()
    with _one_thread():
        network = models.create(name, **chosen.network, seed=seed)
        fit(network, data, chosen, rounds, seed)
        if out is not None:
            checkpoint.save(network, out)
        return TrainReport(
            name=name,
            preset=preset,
            epochs=rounds,
            seed=seed,
            train_accuracy=accuracy(network, data.train_images, data.train_labels),
            test_accuracy=accuracy(network, data.test_images, data.test_labels),
            layers=layer_reports(network, data.test_images),
            path=None if out is None else str(out),
        )


def _require_writable(path: Path) -> None:
    """Raise OutputError now rather than after the training."""
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError(
            "the checkpoint cannot be written there", where=str(path), hint="name a file in a folder of yours"
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: the order of float sums, and so the trained weights, would depend on the core count."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
