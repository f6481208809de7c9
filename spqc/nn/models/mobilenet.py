"""MobileNet-V1 light: 32C3 and four pairs of depthwise 3x3 and pointwise convolution, pooled before the neurons, FC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from spqc.foundation.errors import UsageError

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {"in_shape": (3, 48, 48), "classes": 10, "steps": 16}

_PAIRS = ((64, True), (64, True), (128, True), (128, False))  # output channels, and whether a pooling follows


@dataclass(frozen=True)
class Options:
    """width: factor on channel counts; pool_position: average before the neuron, or after its spikes (A13)."""

    width: float = 1.0
    pool_position: Literal["before", "after"] = "before"

    def __post_init__(self) -> None:
        check_choices(self)
        if not self.width > 0.0:
            raise UsageError(f"width must be positive, not {self.width}")


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications; a depthwise convolution has a group for each channel."""
    channels = _scaled(32, options)
    specs = _pooled({"op": "conv2d", "out": channels, "kernel": 3, "padding": 1}, options)
    for out, pools in _PAIRS:
        specs.append({"op": "conv2d", "out": channels, "kernel": 3, "padding": 1, "groups": channels})
        channels = _scaled(out, options)
        pointwise = {"op": "conv2d", "out": channels, "kernel": 1}
        specs += _pooled(pointwise, options) if pools else [pointwise]
    return [*specs, {"op": "flatten"}, {"op": "linear", "out": network.classes}]


def _pooled(spec: dict[str, Any], options: Options) -> list[dict[str, Any]]:
    if options.pool_position == "before":
        return [spec | {"pool_before": 2}]
    return [spec, {"op": "avg_pool", "kernel": 2}]


def _scaled(channels: int, options: Options) -> int:
    return max(1, round(channels * options.width))
