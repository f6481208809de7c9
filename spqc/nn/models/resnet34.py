"""ResNet-34 for ImageNet: 64C7/2, 3, 4, 6 and 3 blocks of 64, 128, 256 and 512 channels, FC256, classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config import NetworkOptions
from ._residual import ResidualOptions, Stage, body, head

DEFAULTS: dict[str, Any] = {"in_shape": (3, 224, 224), "classes": 1000, "steps": 4, "coding": "direct"}

_STAGES = (Stage(64, 3, 1), Stage(128, 4, 2), Stage(256, 6, 2), Stage(512, 3, 2))


@dataclass(frozen=True)
class Options(ResidualOptions):
    """stem_pool: the usual 3x3/2 max pooling behind the stem, which the authors leave out."""

    stem_pool: bool = False


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications."""
    stem = {"op": "conv2d", "out": options.scaled(64), "kernel": 7, "stride": 2, "padding": 3}
    pool = [{"op": "max_pool", "kernel": 3, "stride": 2, "padding": 1}] if options.stem_pool else []
    return [stem, *pool, *body(_STAGES, 64, options), *head(options, network)]
