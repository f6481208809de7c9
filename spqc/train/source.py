"""The data of a training: a name with options, its splits, and what they say about the network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spqc.foundation.errors import UsageError
from spqc.foundation.options import build, format_call, split_call
from spqc.nn import models

from . import data
from .agreement import empty_classes, require_alike, require_samples
from .augment import require_pictures
from .data import DataSet
from .data.dataset import in_memory
from .detection import Head
from .settings import Settings

_MEMORY = 1 << 28


@dataclass(frozen=True)
class Named:
    """A data set that was named, its options read, and one text for them all."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    text: str = ""


def parse(text: str) -> Named:
    """Return what `name` or `name{key=value ...}` says. Raises UsageError."""
    name, values = split_call(text)
    chosen: Any = build(data.find(name).options, name, values)
    given = {key.replace("-", "_"): getattr(chosen, key.replace("-", "_")) for key in values}
    return Named(name, given, format_call(name, chosen))


def numbered_from(named: Named, first: int | None) -> Named:
    """Return a data set whose classes are numbered from `first`; UsageError where they have names or another number."""
    if first is None:
        return named
    if "labels_from" not in {entry.name for entry in dataclasses.fields(data.find(named.name).options)}:
        raise UsageError(f"the classes of '{named.name}' are no numbers of yours", hint="leave out --labels-from")
    if named.options.get("labels_from", first) != first:
        raise UsageError(f"'{named.text}' says with which number the classes begin, and --labels-from {first} another")
    options = {**named.options, "labels_from": first}
    return Named(named.name, options, format_call(named.name, data.find(named.name).options(**options)))


@dataclass(frozen=True)
class Splits:
    """The samples to train on, to test on, and those of the set's own validation split where it has one; a note."""

    train: DataSet
    test: DataSet
    validation: DataSet | None
    note: str = ""


def open_splits(named: Named, settings: Settings, root: Path | None) -> tuple[Splits, dict[str, Any]]:
    """Return the splits of a data set, and the network options that the data decide.

    A data set of moving frames is read with as many of them as the network has steps, where it can be asked to.
    """
    options = dict(named.options)
    can = {entry.name for entry in dataclasses.fields(data.find(named.name).options)}
    steps = settings.network.get("steps")
    if "steps" in can and "steps" not in options and steps is not None:
        options["steps"] = steps

    def opened(split: str) -> DataSet:
        data_set = data.load(named.name, root, split, **options)
        require_samples(data_set)
        data_set = _kept(data_set)
        return _shaped(data_set, settings.network.get("in_shape"), settings.recipe.augment)

    known = data.find(named.name).splits
    train, test = (opened(split) for split in _train_and_test(named.name))
    require_pictures(settings.recipe.augment, train.shape, named.name)
    validation = opened("val") if {"val", "test"} <= set(known) else None
    for other in (test, validation):
        if other is not None:
            require_alike(train, other)
    note = empty_classes(train, "labels_from" in can - set(options))
    return Splits(train, test, validation, note), _facts(train, settings)


def _shaped(data_set: DataSet, wanted: Any, moved: str) -> DataSet:
    """Return a data set whose frames have the shape that the network asks for: as many codes, in the same order."""
    if wanted is None or tuple(wanted) == data_set.shape:
        return data_set
    if int(np.prod(wanted)) != int(np.prod(data_set.shape)):
        raise UsageError(
            f"the frames of '{data_set.name}' have shape {list(data_set.shape)}, which is not {list(wanted)}"
        )
    if moved != "none":
        raise UsageError(
            f"'{moved}' moves pictures, and those of '{data_set.name}' are read as {list(wanted)}",
            hint="--set augment=none",
        )
    shape, read = tuple(wanted), data_set.read
    lead = () if data_set.steps is None else (data_set.steps,)
    return dataclasses.replace(data_set, shape=shape, read=lambda index: read(index).reshape(*lead, *shape))


def _kept(data_set: DataSet) -> DataSet:
    """Return a small data set with its samples in memory: reading or drawing them again every epoch takes longer."""
    if len(data_set) * int(np.prod(data_set.sample_shape)) > _MEMORY:
        return data_set
    return dataclasses.replace(data_set, read=in_memory(data_set.arrays()[0]))


def _train_and_test(name: str) -> tuple[str, str]:
    splits = data.find(name).splits
    if "train" not in splits:
        raise UsageError(f"the data set '{name}' has no training split", hint=f"it has {', '.join(splits)}")
    return "train", "test" if "test" in splits else splits[-1]


def _facts(train: DataSet, settings: Settings) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "in_shape": train.shape,
        "classes": train.classes,
        "input": train.encoding,
        "coding": "direct" if train.steps is None else "frames",
    }
    if train.steps is not None:
        if settings.network.get("steps", train.steps) != train.steps:
            wanted = settings.network["steps"]
            raise UsageError(
                f"the samples of '{train.name}' have {train.steps} frames, and the network {wanted} steps",
                hint=f"--set steps={train.steps}",
            )
        facts["steps"] = train.steps
    head = Head(classes=train.classes)
    if train.boxes is not None and models.defaults(settings.model).get("classes") == head.outputs:
        del facts["classes"]  # the model's own: a prediction vector
    known = models.option_names(settings.model)
    return {key: value for key, value in facts.items() if key in known}
