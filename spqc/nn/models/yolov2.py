"""Custom-YOLOv2 for the events of Prophesee Gen1: stacks of 3x3 and 1x1 convolutions, and a dense prediction vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spqc.foundation.errors import UsageError

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {
    "in_shape": (2, 223, 287), "classes": 6 * 8 * 12, "steps": 1, "input": "spikes", "leak": 1.0,
}  # fmt: skip
"""`classes` is the prediction vector: 6 x 8 cells of 12 numbers for 2 boxes and 2 classes, in the order that
spqc.train.detection.head tells. The neuron does not leak."""

_STAGES: tuple[tuple[int, ...], ...] = (
    (32,),
    (64,),
    (128, 64, 128),
    (256, 128, 256),
    (512, 256, 512, 256, 512),
    (1024, 512, 1024, 512, 1024),
)


@dataclass(frozen=True)
class Options:
    """width: factor on the channels of the convolutions and of the hidden dense layer."""

    width: float = 1.0

    def __post_init__(self) -> None:
        check_choices(self)
        if not self.width > 0.0:
            raise UsageError(f"width must be positive, not {self.width}")


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications.

    The 1x1 convolutions inside the stages have a padding of 1 and the last has none: with these a 223x287 input
    leaves the 3x3 map, the neurons and the multiply-accumulates that were reported.
    """
    specs: list[dict[str, Any]] = []
    for stage in _STAGES:
        for place, channels in enumerate(stage):
            specs.append(_conv(channels, 1 if place % 2 else 3, 1, options))
        specs.append({"op": "max_pool", "kernel": 2})
    specs += [_conv(1024, 1, 0, options), {"op": "avg_pool", "kernel": 2}, {"op": "flatten"}]
    return [*specs, {"op": "linear", "out": _scaled(512, options)}, {"op": "linear", "out": network.classes}]


def _conv(channels: int, kernel: int, padding: int, options: Options) -> dict[str, Any]:
    return {"op": "conv2d", "out": _scaled(channels, options), "kernel": kernel, "padding": padding}


def _scaled(channels: int, options: Options) -> int:
    return max(1, round(channels * options.width))
