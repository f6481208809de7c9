"""A classifier of spike trains: convolutions along a line, max pooling and dense layers with sparse weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spqc.foundation.errors import ModelError, UsageError

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {"in_shape": (2, 128), "classes": 10, "steps": 10, "input": "spikes", "sparsity": "l0"}


@dataclass(frozen=True)
class Options:
    """width: channels of the first convolution; hidden: neurons of the dense layer."""

    width: int = 32
    hidden: int = 128

    def __post_init__(self) -> None:
        check_choices(self)
        if min(self.width, self.hidden) < 1:
            raise UsageError("width and hidden must be positive")


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return C5/2 - C5/2 - MP2 - C3 - MP2 - FC - classifier; frames of rows and columns are read as lines of pixels."""
    width = options.width
    return [
        *_line(network.in_shape),
        {"op": "conv1d", "out": width, "kernel": 5, "stride": 2, "padding": 2},
        {"op": "conv1d", "out": 2 * width, "kernel": 5, "stride": 2, "padding": 2},
        {"op": "max_pool", "kernel": 2},
        {"op": "conv1d", "out": 2 * width, "kernel": 3, "padding": 1},
        {"op": "max_pool", "kernel": 2},
        {"op": "flatten"},
        {"op": "linear", "out": options.hidden},
        {"op": "linear", "out": network.classes},
    ]


def _line(in_shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return what brings a frame into [channels, length]."""
    if len(in_shape) == 2:
        return []
    if len(in_shape) == 1:
        return [{"op": "reshape", "shape": [1, *in_shape]}]
    if len(in_shape) == 3:
        return [{"op": "reshape", "shape": [in_shape[0], in_shape[1] * in_shape[2]]}]
    raise ModelError(f"a spike train is [channels, length], not {list(in_shape)}", hint="e.g. in_shape=(2, 128)")
