"""CNN-3D of ACE-SNN for hyperspectral patches: six convolutions over bands, rows and columns, and a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {
    "in_shape": (1, 200, 5, 5), "classes": 16, "steps": 5, "coding": "direct",
    "weight_bits": 6, "weight_grid": "uniform", "batch_norm": "none", "membrane": "ace",
}  # fmt: skip

_WIDTHS = {"ace": (20, 40, 84, 84, 84, 84), "hamida": (20, 20, 35, 35, 35, 35)}

# kernel, stride and padding along the bands; the first and third convolution have 3x3 windows in the image too
_BANDS = ((3, 1, 0), (3, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 1), (2, 2, 1))
_IN_IMAGE = (0, 2)


@dataclass(frozen=True)
class Options:
    """widths: channels of the six convolutions: of ACE-SNN, or of its ancestor by Ben Hamida and others (2018)."""

    widths: Literal["ace", "hamida"] = "ace"

    def __post_init__(self) -> None:
        check_choices(self)


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications for patches [1, bands, rows, columns]."""
    specs: list[dict[str, Any]] = []
    for place, (out, (kernel, stride, padding)) in enumerate(zip(_WIDTHS[options.widths], _BANDS, strict=True)):
        side = 3 if place in _IN_IMAGE else 1
        specs.append(
            {
                "op": "conv3d",
                "out": out,
                "kernel": [kernel, side, side],
                "stride": [stride, 1, 1],
                "padding": [padding, 0, 0],
            }
        )
    return [*specs, {"op": "flatten"}, {"op": "linear", "out": network.classes}]
