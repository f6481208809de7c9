"""Progress bars on standard error; none where it is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

if TYPE_CHECKING:
    from spqc.tuning.driver import Step


_WIDE = 120


@contextmanager
def counter(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, total) that moves the bar."""
    with _bar() as bar:
        task = bar.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


@contextmanager
def trials() -> Iterator[Callable[[Step], None]]:
    """Yield a function that shows one trial of a search, with the best time of its kernel so far."""
    with _bar() as bar:
        task = bar.add_task("measuring", total=None)

        def show(step: Step) -> None:
            words = f"best {step.best_ns / 1e3:,.1f} us, {step.strategy} {step.time_ns / 1e3:,.1f} us, {step.layer}"
            bar.update(task, completed=step.done, total=step.total, description=words)

        yield show


def _bar() -> Progress:
    console = Console(stderr=True)
    bar = BarColumn(40 if console.width >= _WIDE else 8)
    told = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ignore"))
    columns = (bar, MofNCompleteColumn(), TimeElapsedColumn(), told)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
