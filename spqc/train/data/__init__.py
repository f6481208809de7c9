"""Data sets by name: `load` reads one, `available` lists them. Every module of `sets` is a family of data sets.

A module of `sets` holds `DATA_SETS`, which maps names to `Known`. None of this needs torch.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from pathlib import Path
from typing import Any

from spqc.foundation.errors import UsageError
from spqc.foundation.options import nearest

from . import sets
from .dataset import Boxes, Codes, DataSet, Labels
from .known import Known, NoOptions, Request

__all__ = ["Boxes", "Codes", "DataSet", "Known", "Labels", "NoOptions", "available", "find", "load"]


def available() -> list[str]:
    """Return the names of all data sets, sorted."""
    return sorted(_known())


def find(name: str) -> Known:
    """Return what is known about a data set; UsageError with the nearest name."""
    known = _known()
    if name not in known:
        raise UsageError(f"there is no data set '{name}'", hint=nearest(name, known))
    return known[name]


def load(name: str, root: str | Path | None = None, split: str = "train", **options: Any) -> DataSet:
    """Return one split of a data set; its samples are read when they are asked for.

    root: the folder of its files, or the folder `name` of the environment variable SPQC_DATA.
    options: the fields of the data set's own options, see `find(name).options`.
    Raises UsageError for an unknown name, split or option, InputError for files that are missing or damaged.
    """
    known = find(name)
    if split not in known.splits:
        raise UsageError(f"'{name}' has no split '{split}'", hint=nearest(split, known.splits))
    fields = [field.name for field in dataclasses.fields(known.options)]
    for option in options:
        if option not in fields:
            raise UsageError(f"the data set '{name}' has no option '{option}'", hint=nearest(option, fields))
    request = Request(name, split, None if root is None else Path(root), known)
    return known.open(request, known.options(**options))


def _known() -> dict[str, Known]:
    known: dict[str, Known] = {}
    for module in pkgutil.iter_modules(sets.__path__):
        if not module.name.startswith("_"):
            known |= importlib.import_module(f"{sets.__name__}.{module.name}").DATA_SETS
    return known
