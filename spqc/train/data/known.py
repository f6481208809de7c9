"""What a module of `sets` says about each of its data sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spqc.foundation.errors import UsageError

from .dataset import DataSet

FOLDER_VARIABLE = "SPQC_DATA"
_NAME_IT = f"name the folder with --root DIR (Python: root=), or the folder of all sets in {FOLDER_VARIABLE}"


@dataclass(frozen=True)
class NoOptions:
    """The options of a data set that has none."""


@dataclass(frozen=True)
class Known:
    """A data set by its name.

    summary: one line. open: reads a split (request, options). options: a frozen dataclass. files: what lies in the
    folder; "" where nothing is read. source: the official name, to find the files by. splits: their names.
    """

    summary: str
    open: Callable[[Request, Any], DataSet]
    options: type = NoOptions
    files: str = ""
    source: str = ""
    splits: tuple[str, ...] = ("train", "test")


@dataclass(frozen=True)
class Request:
    """Which data set and split is wanted, and the folder that was named, if any."""

    name: str
    split: str
    root: Path | None
    known: Known

    def folder(self) -> Path:
        """Return the folder of the files; UsageError says where to get them where there is none."""
        root = self.root
        if root is None and os.environ.get(FOLDER_VARIABLE):
            root = Path(os.environ[FOLDER_VARIABLE]) / self.name
        if root is None:
            raise UsageError(
                f"the data set '{self.name}' reads files, and no folder is named",
                hint=f"{_NAME_IT}; {self.get_it}",
            )
        if not root.is_dir():
            what = "no folder" if not root.exists() else "a file and no folder"
            hint = f"{_NAME_IT}; {self.get_it}"
            raise UsageError(f"there is {what} for the data set '{self.name}'", str(root), hint)
        return root

    @property
    def get_it(self) -> str:
        """Return how to get the files, as a hint."""
        return f"it holds {self.known.files}, from {self.known.source}"


def require(option: str, value: float, low: float, high: float | None = None) -> None:
    """Raise UsageError unless low <= value, and value <= high where there is one."""
    if not value >= low or (high is not None and value > high):  # NaN is not
        reach = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise UsageError(f"{option} must be {reach}, not {value:g}")


def require_odd(option: str, value: int) -> None:
    """Raise UsageError unless a patch of this size has a pixel in the middle."""
    if value < 1 or value % 2 == 0:
        raise UsageError(f"{option} must be odd and at least 1, not {value}")
