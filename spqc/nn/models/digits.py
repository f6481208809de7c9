"""A small convolutional network for the 8x8 handwritten digits of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spqc.foundation.errors import UsageError

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {"in_shape": (1, 8, 8), "classes": 10, "steps": 4, "input": "digits", "coding": "direct"}


@dataclass(frozen=True)
class Options:
    """width: channels of the first convolution."""

    width: int = 32

    def __post_init__(self) -> None:
        check_choices(self)
        if self.width < 1:
            raise UsageError(f"width must be positive, not {self.width}")


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return C3 - C3 - AP2 - C3 - AP2 - FC - classifier."""
    width = options.width
    return [
        {"op": "conv2d", "out": width, "kernel": 3, "padding": 1},
        {"op": "conv2d", "out": width, "kernel": 3, "padding": 1},
        {"op": "avg_pool", "kernel": 2},
        {"op": "conv2d", "out": 2 * width, "kernel": 3, "padding": 1},
        {"op": "avg_pool", "kernel": 2},
        {"op": "flatten"},
        {"op": "linear", "out": 2 * width},
        {"op": "linear", "out": network.classes},
    ]
