"""What a training shows while it runs: a bar on stderr, and TensorBoard logs where they are asked for."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spqc.foundation.errors import OutputError, UsageError

_LEAST_BAR = 6
_COUNTS = (
    "{n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]",
    "{n_fmt}/{total_fmt} [{elapsed}<{remaining}]",
    "{n_fmt}/{total_fmt}",
)
_COUNTED = (46, 32, 16)
"""Cells that each of the counts takes at most, as long as a training lasts no more than days."""


def say(text: str) -> None:
    """Print a line on stderr; on a terminal it is broken at spaces."""
    lines = [text]
    if sys.stderr.isatty():
        lines = textwrap.wrap(text, _columns(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print("\n".join(lines), file=sys.stderr, flush=True)


def _layout(*told: str) -> dict[str, Any]:
    """Return tqdm's words for a bar that begins with the first of some texts that fits the terminal as it is now."""
    columns = _columns() - 1
    fitting = next((text for text in told if len(text) <= columns), told[-1])
    return {"desc": fitting, "ncols": columns, "bar_format": bar_format(fitting, columns)}


def bar_format(told: str, columns: int) -> str:
    """Return tqdm's format of a bar: first what is told, then as much of bar and counts as there is room for."""
    left = columns - len(told) - 1
    counts = [text for text, size in zip(_COUNTS, _COUNTED, strict=True) if size <= left]
    if not counts:
        return "{desc}"
    drawn = left - _COUNTED[_COUNTS.index(counts[0])] > _LEAST_BAR
    return "{desc} |{bar}| " + counts[0] if drawn else "{desc} " + counts[0]


def _columns() -> int:
    """Return how wide the terminal of stderr is; COLUMNS goes before what it says itself."""
    with contextlib.suppress(ValueError, OSError):
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


class Progress:
    """The bar and the logs of one stage; a process that is not the first shows and writes nothing.

    Where stderr is no terminal, a line after every epoch stands for the bar.
    """

    def __init__(self, stage: str, batches: int, done: int, logs: Logs, *, shown: bool) -> None:
        self.stage, self.logs = stage, logs
        moving = sys.stderr.isatty()
        self.lines = shown and not moving
        self.bar = tqdm(
            total=batches, initial=done, unit="batch", file=sys.stderr, disable=not (shown and moving), mininterval=0.5,
            **_layout(stage),
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
        layout = _layout(f"{self.stage}: {told}", told, f"{measured} {score:.4f}", f"{score:.4f}")
        self.bar.ncols, self.bar.bar_format = layout["ncols"], layout["bar_format"]
        self.bar.set_description_str(layout["desc"])
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
