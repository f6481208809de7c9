"""One training run from the words of a command to a checkpoint and a report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spqc.foundation.errors import OutputError, UsageError
from spqc.foundation.options import require_seed
from spqc.nn import checkpoint, models

from . import flows, processes, progress, recipes, settings, source, state
from .batches import held_out
from .evaluation import LayerReport, layer_reports
from .loop import Session
from .settings import Settings
from .smallest_batch import smallest_batch
from .source import Splits
from .state import Files
from .tasks import task_of


@dataclass(frozen=True)
class TrainReport:
    """What a training run reached; `path` and `best_path` are the checkpoints, or None.

    ..._accuracy: in [0, 1], what `measure` names: accuracy, or for a detector mAP@0.5, its mean average precision.
    best_accuracy, best_epoch: of the epoch with the greatest on `chosen_by` (validation or test samples).
    notes: what a user should know, one line each. first: whether this process is the one that reports.
    """

    name: str
    data: str
    preset: str
    epochs: int
    seed: int
    train_accuracy: float
    test_accuracy: float
    best_accuracy: float
    best_epoch: int
    chosen_by: str
    measure: str
    layers: tuple[LayerReport, ...]
    path: str | None
    best_path: str | None
    notes: tuple[str, ...] = ()
    first: bool = True

    @property
    def spike_rate(self) -> float:
        """Return the mean spike rate over the layers."""
        return sum(layer.spike_rate for layer in self.layers) / max(len(self.layers), 1)


def train(
    name: str = "digits",
    *,
    data: str | None = None,
    root: str | os.PathLike[str] | None = None,
    preset: str | None = None,
    options: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    amp: bool = False,
    resume: bool = False,
    log_dir: str | os.PathLike[str] | None = None,
    save_seconds: float = 600.0,
    workers: int = 0,
    labels_from: int | None = None,
    out: str | os.PathLike[str] | None = None,
) -> TrainReport:
    """Train the model `name` and write a checkpoint to `out`; the same arguments give the same weights.

    data: the name of a data set, with options as in `synthetic-events{steps=4}`; data and preset are the model's own
    unless told.
    labels_from: the number of the first class, for data sets of your own.
    options: fields of the recipe and of the network by name, over those of the preset; see docs/training.md.
    Raises UsageError for an unknown name or preset or a batch that is too small, OutputError if `out` cannot be
    written, ModelError if the loss is no longer finite.
    """
    seed = require_seed(seed)
    if not save_seconds >= 0.0:
        raise UsageError(f"save_seconds must be 0 or more, not {save_seconds}")
    if name not in models.available():
        models.option_names(name)  # raises, with the nearest name
    files = None if out is None else Files(_writable(Path(out)))
    named = source.numbered_from(source.parse(data or recipes.default_data(name)), labels_from)
    chosen = {**(options or {}), **_given(epochs=epochs, batch=batch)}
    top = {"seed": seed, "device": _device(device), "amp": amp, "processes": processes.count()}
    wanted = settings.resolve(name, named.text, preset, chosen, steps_of_data="steps" in named.options, **top)
    with _one_thread(), processes.joined(device) as (together, own_device):
        splits, facts = source.open_splits(named, wanted, None if root is None else Path(root))
        network = models.create(name, **settings.network_options(wanted, facts)).to(own_device)
        task = task_of(network, splits.train, wanted.recipe)
        kept, held = held_out(splits.train, wanted.recipe.validation, seed)
        held = held or splits.validation
        smallest = smallest_batch(network, splits.train.steps is not None, together)
        smallest.check(len(kept), wanted.recipe.batch)
        judge, judged_by = (held, "validation") if held else (splits.test, "test")
        logs, resumed = None if log_dir is None else Path(log_dir), _resumed(wanted, files, resume)
        session = Session(
            wanted, network, kept, judge, judged_by, task, together, own_device, files, logs, save_seconds, workers,
            resumed, smallest.samples,
        )  # fmt: skip
        notes = _told(together.first, splits.note, smallest.note(len(kept), wanted.recipe.batch))
        try:
            flows.FLOWS[wanted.flow](session)
        except KeyboardInterrupt:
            _tell_how_to_go_on(session)
            raise
        return _finish(session, splits, notes)


def _told(shown: bool, *notes: str) -> tuple[str, ...]:
    """Return the notes that are not empty, after the first process has shown them."""
    kept = tuple(filter(None, notes))
    if shown:
        for note in kept:
            progress.say(f"note: {note}")
    return kept


def _tell_how_to_go_on(session: Session) -> None:
    if session.processes.first and session.files is not None and session.files.state.exists():
        progress.say("interrupted; the same command with --resume goes on")


def _finish(session: Session, splits: Splits, notes: tuple[str, ...]) -> TrainReport:
    network, wanted, files, together = session.network, session.settings, session.files, session.processes
    together.align(network)
    if files is not None and together.first:
        checkpoint.save(network, files.out)
    best = files is not None and session.best_epoch > 0
    report = TrainReport(
        name=wanted.model,
        data=wanted.data,
        preset=wanted.preset,
        epochs=wanted.recipe.epochs,
        seed=wanted.seed,
        train_accuracy=session.task.score(network, splits.train, together),
        test_accuracy=session.task.score(network, splits.test, together),
        best_accuracy=max(session.best, 0.0),
        best_epoch=session.best_epoch,
        chosen_by=session.judged_by,
        measure=session.task.measure,
        layers=layer_reports(network, splits.test),
        path=str(files.out) if files else None,
        best_path=str(files.best) if files and best else None,
        notes=(*notes, *_told(together.first, splits.train.repairs, splits.test.repairs)),
        first=together.first,
    )
    if files is not None and together.first:
        files.state.unlink(missing_ok=True)  # last, so that a training killed while it is measured can be resumed
    return report


def _resumed(wanted: Settings, files: Files | None, resume: bool) -> state.Snapshot | None:
    """Return where to go on, or None to start; UsageError where there is nothing to resume."""
    if not resume:
        return None
    if files is None:
        raise UsageError("there is nothing to resume without a file", hint="name the checkpoint with --out")
    if files.state.exists():
        return state.load(wanted, files.state)
    if files.out.exists():
        raise UsageError(
            "there is nothing to resume: the training has finished", str(files.out), "start anew without --resume"
        )
    return None  # killed before the first save


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _device(device: str) -> str:
    if device not in ("cpu", "cuda"):
        raise UsageError(f"the device is cpu or cuda, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("this torch finds no CUDA device", hint="leave out --device, or install a CUDA build of torch")
    return device


def _writable(path: Path) -> Path:
    """Return the path; raises OutputError now rather than after the training."""
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError(
            "the checkpoint cannot be written there", where=str(path), hint="name a file in a folder of yours"
        )
    return path


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: the order of float sums, and so the trained weights, would depend on the core count."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
