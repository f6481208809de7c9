"""The training loop: one stage from wherever it stands to its last epoch; seeded, saved, and the same on every run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spqc.foundation.errors import ModelError, UsageError
from spqc.nn import checkpoint
from spqc.nn.network import SpikingNetwork

from . import state
from .batches import Cuts, Order, training_batches
from .data import DataSet
from .processes import Processes
from .progress import Logs, Progress
from .settings import Settings
from .state import Files, Snapshot
from .tasks import Task


@dataclass(frozen=True)
class Stage:
    """A part of a training: what is minimised, for how long, how fast, and what says how good it is.

    judged: the module whose logits are judged after every epoch; chooses: whether its best epoch is kept as a file.
    """

    name: str
    objective: nn.Module
    judged: nn.Module
    epochs: int
    learning_rate: float
    chooses: bool = True


@dataclass
class Session:
    """What all stages share.

    judge: the samples that choose the best epoch, and what they are called; task: what the network is for;
    files: None writes nothing; least_batch: the fewest samples of a batch, see `smallest_batch`;
    save_seconds: how much work a kill may cost, beside the end of every epoch, where the state is always saved.
    """

    settings: Settings
    network: SpikingNetwork
    data: DataSet
    judge: DataSet
    judged_by: str
    task: Task
    processes: Processes
    device: str
    files: Files | None = None
    log_dir: Path | None = None
    save_seconds: float = 600.0
    workers: int = 0
    resumed: Snapshot | None = None
    least_batch: int = 1
    best: float = -1.0
    best_epoch: int = 0
    _saved_at: float = field(default_factory=time.monotonic)


def fit(session: Session, stage: Stage) -> None:
    """Train one stage to its end and leave the network in evaluation mode; the same session gives the same weights."""
    loop = _Loop(session, stage)
    try:
        while loop.order.epoch < stage.epochs:
            loop.epoch()
    finally:
        loop.progress.close()
        loop.logs.close()
    session.network.eval()


class _Loop:
    """The parts of one stage, restored from the session's snapshot where that is of this stage."""

    def __init__(self, session: Session, stage: Stage) -> None:
        self.session, self.stage = session, stage
        recipe = session.settings.recipe
        self.cuts = Cuts(recipe.batch, session.least_batch)
        self.per_epoch = len(self.cuts.of(len(session.data)))
        trained = [p for p in stage.objective.parameters() if p.requires_grad]
        self.trained = trained
        self.optimiser = _optimiser(session.settings, stage, trained)
        self.schedule = _schedule(session.settings, self.optimiser, stage.epochs * self.per_epoch)
        self.order = Order.fresh(session.settings.seed)
        half = session.settings.amp and session.device.startswith("cuda")
        self.scaler = torch.amp.GradScaler(session.device.partition(":")[0], enabled=half)
        self._restore()
        self.objective = session.processes.wrapped(stage.objective, session.device)
        shown = session.processes.first
        self.logs = Logs(session.log_dir if shown else None, self.step)
        self.progress = Progress(stage.name, stage.epochs * self.per_epoch, self.step, self.logs, shown=shown)
        session._saved_at = time.monotonic()

    @property
    def step(self) -> int:
        """Return the number of batches done."""
        return self.order.epoch * self.per_epoch + self.order.batch

    def epoch(self) -> None:
        """Train the rest of an epoch, judge it, and save."""
        session, losses = self.session, []
        self.stage.objective.train()
        for codes, targets in self._batches():
            losses.append(self._update(codes, targets))
            self.order.batch += 1
            rate = float(self.optimiser.param_groups[0]["lr"])
            self.progress.batch(self.step, float(losses[-1]) if self.logs.wanted else None, rate)
            if time.monotonic() - session._saved_at >= session.save_seconds:
                self._save()
        _require_finite([float(loss) for loss in losses], self.trained, self.order.epoch)
        self.order.next_epoch()
        self._judge()
        self._save()

    def _batches(self) -> Any:
        session, recipe = self.session, self.session.settings.recipe
        return training_batches(
            session.data,
            self.order,
            self.cuts,
            recipe.augment,
            session.processes,
            session.workers,
            session.task.targets,
        )

    def _update(self, codes: Any, targets: Tensor) -> Tensor:
        session, recipe = self.session, self.session.settings.recipe
        _seed_noise(session.settings.seed, self.step, session.processes.rank)
        kind = session.device.partition(":")[0]
        half = torch.float16 if kind == "cuda" else torch.bfloat16
        self.optimiser.zero_grad()
        with torch.autocast(kind, dtype=half, enabled=session.settings.amp):
            loss: Tensor = self.objective(codes, targets.to(session.device))
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if recipe.clip_norm is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.trained, recipe.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.schedule.step()
        return loss.detach()

    def _judge(self) -> None:
        """Measure the epoch; keep the network where it is the best so far."""
        session, stage = self.session, self.stage
        session.processes.align(session.network)
        stage.judged.eval()
        reached = session.task.score(stage.judged, session.judge, session.processes)
        measured = f"{session.judged_by} {session.task.measure}"
        self.progress.epoch(self.step, self.order.epoch, measured, reached, _thresholds(session.network))
        if stage.chooses and reached > session.best:
            session.best, session.best_epoch = reached, self.order.epoch
            if session.files is not None and session.processes.first:
                checkpoint.save(session.network, session.files.best)

    def _save(self) -> None:
        session = self.session
        session._saved_at = time.monotonic()
        if session.files is None or not session.processes.first:
            return
        parts = (session.network, self.optimiser, self.schedule, self.scaler)
        network, optimiser, schedule, scaler = (part.state_dict() for part in parts)
        snapshot = Snapshot(
            self.stage.name, {**self.order.plain(), "samples": len(session.data)}, dict(network), optimiser, schedule,
            scaler, session.best, session.best_epoch,
        )  # fmt: skip
        state.save(snapshot, session.settings, session.files.state)

    def _restore(self) -> None:
        snapshot = self.session.resumed
        if snapshot is None or snapshot.stage != self.stage.name:
            return
        self.session.resumed = None
        _require_same_samples(snapshot.order.get("samples"), len(self.session.data))
        try:
            self.session.network.load_state_dict(snapshot.network)
            self.optimiser.load_state_dict(dict(snapshot.optimiser))
            self.schedule.load_state_dict(dict(snapshot.schedule))
            self.scaler.load_state_dict(dict(snapshot.scaler))
            self.order = Order.from_plain(snapshot.order)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            files = self.session.files  # the parts of a damaged state do not fit, each in its own way
            raise state.damaged(str(files.state) if files else "") from error
        self.session.best, self.session.best_epoch = snapshot.best, snapshot.best_epoch


def _optimiser(settings: Settings, stage: Stage, trained: list[nn.Parameter]) -> torch.optim.Optimizer:
    recipe = settings.recipe
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            trained, lr=stage.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.Adam(trained, lr=stage.learning_rate, weight_decay=recipe.weight_decay)


def _schedule(
    settings: Settings, optimiser: torch.optim.Optimizer, batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if settings.recipe.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=max(batches, 1))
    return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)


def _seed_noise(seed: int, step: int, rank: int) -> None:
    """Seed torch for one batch of one process: nothing of its generator needs to be saved."""
    torch.manual_seed(int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1))


def _require_same_samples(saved: int | None, present: int) -> None:
    """Raise UsageError where a training goes on with another number of samples; None: nobody noted it."""
    if saved is not None and saved != present:
        raise UsageError(
            f"the training was started with {saved} samples and would go on with {present}",
            hint="resume with the data it was started with, or start anew without --resume",
        )


def _thresholds(network: SpikingNetwork) -> dict[str, float]:
    return {f"threshold of {name}": layer.threshold for name, layer in network.spiking_layers()}


def _require_finite(losses: list[float], trained: list[nn.Parameter], epoch: int) -> None:
    """Raise ModelError where a loss or, after the last of them, a parameter is NaN or infinite."""
    lost = None if all(map(math.isfinite, losses)) else "its loss is"
    if lost is None and not all(bool(parameter.isfinite().all()) for parameter in trained):
        lost = "its parameters are"
    if lost is not None:
        raise ModelError(
            f"the training diverged in epoch {epoch + 1}: {lost} no longer finite",
            hint="lower the rate or limit the gradient, e.g. --set learning_rate=0.0005 --set clip_norm=1",
        )


Flow = Callable[[Session], None]
