"""What the ResNets share: blocks of two 3x3 convolutions with a residual, a hidden dense layer, a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spqc.foundation.errors import UsageError

from ..config import NetworkOptions
from ..options import check_choices


@dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first takes `stride`."""

    channels: int
    blocks: int
    stride: int


@dataclass(frozen=True)
class ResidualOptions:
    """width: factor on channel counts; hidden: neurons of the dense layer before the classifier, 0 for none."""

    width: float = 1.0
    hidden: int = 256

    def __post_init__(self) -> None:
        check_choices(self)
        if not self.width > 0.0 or self.hidden < 0:
            raise UsageError(f"width must be positive and hidden not negative, not {self.width} and {self.hidden}")

    def scaled(self, channels: int) -> int:
        """Return a channel count times the width."""
        return max(1, round(channels * self.width))


def body(stages: Sequence[Stage], stem: int, options: ResidualOptions) -> list[dict[str, Any]]:
    """Return the blocks behind a stem of `stem` channels: 1x1 projections where the shape changes."""
    specs: list[dict[str, Any]] = []
    channels = options.scaled(stem)
    for stage in stages:
        for index in range(stage.blocks):
            out, stride = options.scaled(stage.channels), stage.stride if index == 0 else 1
            kind = "identity" if (out, stride) == (channels, 1) else "project"
            convolution = {"op": "conv2d", "out": out, "kernel": 3, "padding": 1}
            specs += [convolution | {"stride": stride}, convolution | {"residual": kind, "residual_span": 2}]
            channels = out
    return specs


def head(options: ResidualOptions, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the average of each channel, the hidden layer and the classifier."""
    hidden = [{"op": "linear", "out": options.scaled(options.hidden)}] if options.hidden else []
    return [{"op": "global_avg_pool"}, {"op": "flatten"}, *hidden, {"op": "linear", "out": network.classes}]
