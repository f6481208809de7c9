"""What must hold of the splits of a data set before anything is trained on them, and what is worth a note."""

from __future__ import annotations

import numpy as np

from spqc.foundation.errors import InputError, UsageError

from .data import DataSet

_SHOWN = 5


def require_samples(data: DataSet) -> None:
    """Raise UsageError for a split without a sample."""
    if not len(data):
        raise UsageError(
            f"the split '{data.split}' of '{data.name}' has no sample",
            hint="where a set is divided by the option train, leave samples for both sides",
        )


def require_alike(train: DataSet, other: DataSet) -> None:
    """Raise InputError where the samples of another split do not look as those to train on, or have more classes."""
    for what in ("shape", "steps", "encoding"):
        wanted, given = getattr(train, what), getattr(other, what)
        if wanted != given:
            raise InputError(
                f"the splits of '{train.name}' differ: the {what} of '{train.split}' is {wanted}, of '{other.split}' "
                f"{given}",
                hint="name what is else measured by each split, as neurons, duration or size",
            )
    if other.classes > train.classes:
        raise InputError(
            f"the split '{other.split}' of '{train.name}' has {other.classes} classes, '{train.split}' {train.classes}",
            hint=f"is a class missing from the samples to train on? classes={other.classes} keeps it",
        )


def empty_classes(train: DataSet, can_shift: bool) -> str:
    """Return which classes have no sample to train on, in one line; "" where all have.

    can_shift: whether the data set can be told the number of its first class.
    """
    empty = np.setdiff1d(np.arange(train.classes), train.labels)
    if not len(empty):
        return ""
    names = [repr(train.class_names[label]) for label in empty[:_SHOWN]]
    more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
    have = "has" if len(empty) == 1 else "have"
    hint = "; are they numbered from 1? --labels-from 1" if can_shift and empty.tolist() == [0] else ""
    return f"{len(empty)} of {train.classes} classes {have} no sample to train on: {', '.join(names)}{more}{hint}"
