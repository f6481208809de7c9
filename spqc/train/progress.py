"""What a training shows while it runs: a bar on stderr, and TensorBoard logs where they are asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spqc.errors import OutputError, UsageError


class Progress:
    """The bar and the logs of one stage; a process that is not the first shows and writes nothing.

    Where stderr is no terminal, a line after every epoch stands for the bar.
    """

    def __init__(self, stage: str, batches: int, done: int, logs: Logs, *, shown: bool) -> None:
        self.stage, self.logs = stage, logs
        moving = sys.stderr.isatty()
        self.lines = shown and not moving
        self.bar = tqdm(
            total=batches, initial=done, desc=stage, unit="batch", file=sys.stderr, disable=not (shown and moving),
            mininterval=0.5,
        )  # fmt: skip

    def batch(self, step: int, loss: float | None, rate: float) -> None:
        """Count one batch; the loss is None where nobody wants it."""
        self.bar.update(1)
        if loss is not None:
            self.logs.write(f"{self.stage}/loss", loss, step)
            self.logs.write(f"{self.stage}/learning rate", rate, step)

    def epoch(self, step: int, epoch: int, measured: str, score: float, more: dict[str, float]) -> None:
        """Show what was measured after an epoch."""
        told = f"epoch {epoch}, {measured} {score:.4f}"
        self.bar.set_postfix_str(told)
        if self.lines:
            print(f"{self.stage}: {told}", file=sys.stderr, flush=True)
        self.logs.write(f"{self.stage}/{measured}", score, step)
        for name, value in more.items():
            self.logs.write(f"{self.stage}/{name}", value, step)

    def close(self) -> None:
        """End the bar."""
        self.bar.close()


class Logs:
    """TensorBoard scalars in a folder, or nothing."""

    def __init__(self, folder: Path | None, first_step: int = 0) -> None:
        self.writer = None if folder is None else _writer(folder, first_step)

    @property
    def wanted(self) -> bool:
        """Return whether anything is written."""
        return self.writer is not None

    def write(self, name: str, value: float, step: int) -> None:
        """Write one scalar."""
        if self.writer is not None:
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is left."""
        if self.writer is not None:
            self.writer.close()


def _writer(folder: Path, first_step: int) -> Any:
    """Return a writer; what an interrupted run wrote beyond `first_step` is hidden."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(
            "logs need TensorBoard, which is not installed", hint="pip install 'spqc[tensorboard]'"
        ) from None
    try:
        return SummaryWriter(str(folder), purge_step=first_step or None)
    except OSError as error:
        raise OutputError(f"the logs cannot be written: {error.strerror or error}", str(folder)) from None
