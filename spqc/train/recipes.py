"""How each network is trained: the papers' settings as a table, by model and data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from spqc.foundation.errors import UsageError
from spqc.nn.options import check_choices


@dataclass(frozen=True)
class Recipe:
    """One row: the optimiser's side of a training, and the network options that the row comes with.

    source: where the numbers are from: `scripts` of the authors, the `paper`, or `ours` where nothing is published.
    optimiser, learning_rate, momentum, weight_decay: as in torch; schedule: cosine falls to 0 at the last batch.
    regulariser: lam of the TET loss; augment: of images only, `shift` by up to 1 pixel, `crop-flip` pads by 4.
    clip_norm: the greatest norm of the gradient, or None.
    gate_target, gate_weight: the share of channel gates to shut and the weight of the squared distance from it; ours.
    sparsity_weight: the weight of the expected density of sparse synapses (L0).
    validation: the share of the training set that is held out to choose the best epoch; 0: the test set chooses.
    cnn_epochs, cnn_rate, percentile, factor: of the ACE flow; see `spqc.train.ace`.
    """

    source: str = "ours"
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    epochs: int = 60
    batch: int = 64
    regulariser: float = 0.05
    augment: Literal["none", "shift", "crop-flip"] = "none"
    clip_norm: float | None = None
    gate_target: float | None = None
    gate_weight: float = 1.0
    sparsity_weight: float = 1.0
    validation: float = 0.0
    cnn_epochs: int = 20
    cnn_rate: float = 1e-3
    percentile: float = 99.7
    factor: float = 0.7
    network: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("epochs", "cnn_epochs"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must be 0 or more, not {getattr(self, name)}")
        for name in ("learning_rate", "cnn_rate", "factor"):
            if not 0.0 < getattr(self, name) <= _GREATEST_RATE:
                raise UsageError(f"{name} must be positive, at most {_GREATEST_RATE:g}, not {getattr(self, name)}")
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise UsageError(f"{name} must lie in [{least:g}, {most:g}], not {value}")
        if self.batch < 1:
            raise UsageError(f"batch must be 1 or more, not {self.batch}")
        if self.clip_norm is not None and not self.clip_norm > 0.0:
            raise UsageError(f"clip_norm must be positive, not {self.clip_norm}", hint="none switches it off")


_GREATEST_RATE = 1e30
_RANGES = (
    ("regulariser", 0.0, 1.0),
    ("gate_target", 0.0, 1.0),
    ("validation", 0.0, 0.5),
    ("percentile", 50.0, 100.0),
    ("gate_weight", 0.0, 1e6),
    ("sparsity_weight", 0.0, 1e6),
    ("momentum", 0.0, 1.0),
    ("weight_decay", 0.0, 1.0),
)


@dataclass(frozen=True)
class Row:
    """The recipe of the models and data sets whose names match the two patterns; the first row that matches counts.

    preset: what a network is made of unless told.
    """

    model: str
    data: str
    recipe: Recipe
    preset: str = "quant"


_EVENTS = Recipe(
    "scripts", learning_rate=1e-3, epochs=200, batch=24, regulariser=0.90, network={"weight_bits": 2, "steps": 10}
)
_CIFAR = Recipe(
    "scripts",
    learning_rate=1e-2,
    epochs=300,
    batch=128,
    regulariser=0.05,
    augment="crop-flip",
    network={"weight_bits": 4, "steps": 2},
)
_IMAGENET = Recipe(
    "scripts",
    optimiser="sgd",
    learning_rate=0.05,
    momentum=0.9,
    weight_decay=4e-5,
    epochs=100,
    batch=32,
    augment="crop-flip",
    network={"weight_bits": 8, "weight_grid": "apot", "steps": 2, "membrane": [-3, -2, -1, 0, 1]},
)
_ACE = Recipe("ours", learning_rate=1e-3, epochs=40, batch=64, regulariser=0.0, cnn_epochs=40, network={"steps": 5})

TABLE: tuple[Row, ...] = (
    Row("digits", "digits", Recipe("ours", learning_rate=3e-3, augment="shift", network={"steps": 4})),
    Row("vgg*", "n-caltech101", dataclasses.replace(_EVENTS, batch=16)),
    Row("vgg*", "cifar*", dataclasses.replace(_CIFAR, source="paper", learning_rate=1e-3, network={"steps": 4})),
    Row("vgg*", "*", _EVENTS),
    Row("resnet19", "cifar*", _CIFAR),
    Row("resnet34", "imagenet*", _IMAGENET),
    Row("mobilenet", "*", dataclasses.replace(_EVENTS, regulariser=0.45, network={"weight_bits": 4, "steps": 16})),
    Row(
        "spikformer*",
        "cifar*",
        dataclasses.replace(
            _CIFAR, source="paper", learning_rate=1e-3, network={"weight_bits": 8, "weight_grid": "apot", "steps": 4}
        ),
    ),
    Row("yolov2", "*", dataclasses.replace(_EVENTS, source="paper", network={"weight_bits": 4, "steps": 1})),
    Row("cnn-3d", "*", _ACE, "ace"),
    Row("cnn-32h", "*", _ACE, "ace"),
    Row("*", "synthetic*", Recipe("ours", learning_rate=3e-3, epochs=20, batch=32)),
    Row("*", "*", Recipe("paper", network={"weight_bits": 4})),
)

DEFAULT_DATA: tuple[tuple[str, str], ...] = (
    ("digits", "digits"),
    ("vgg*", "dvs-cifar10"),
    ("mobilenet", "dvs-cifar10"),
    ("resnet19", "cifar10"),
    ("resnet34", "imagenet"),
    ("spikformer-8*", "imagenet"),
    ("spikformer*", "cifar10"),
    ("yolov2", "gen1"),
    ("cnn-3d", "indian-pines"),
    ("cnn-32h", "indian-pines{patch=3}"),
    ("spike-train", "synthetic-events"),
)


def row(model: str, data: str) -> Row:
    """Return the row of a model on a data set, which may come with its options."""
    name = data.partition("{")[0]
    return next(row for row in TABLE if fnmatchcase(model, row.model) and fnmatchcase(name, row.data))


def default_data(model: str) -> str:
    """Return the data set, with options, that a model is trained on unless told. Raises UsageError without one."""
    for pattern, data in DEFAULT_DATA:
        if fnmatchcase(model, pattern):
            return data
    raise UsageError(f"model '{model}' has no data set of its own", hint="name one with --data, e.g. --data digits")
