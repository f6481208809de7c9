"""ResNet-19 for CIFAR: 64C3, three blocks of 128, three of 256 and two of 512 channels, FC256, classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config import NetworkOptions
from ._residual import ResidualOptions, Stage, body, head

DEFAULTS: dict[str, Any] = {"in_shape": (3, 32, 32), "classes": 10, "steps": 2, "coding": "direct"}

_STAGES = (Stage(128, 3, 1), Stage(256, 3, 2), Stage(512, 2, 2))


@dataclass(frozen=True)
class Options(ResidualOptions):
    """The options of every ResNet."""


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications."""
    stem = {"op": "conv2d", "out": options.scaled(64), "kernel": 3, "padding": 1}
    return [stem, *body(_STAGES, 64, options), *head(options, network)]
