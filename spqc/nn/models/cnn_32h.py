"""CNN-32H of ACE-SNN for hyperspectral patches: one convolution over bands, its result read as an image, 64C3, FC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from spqc.foundation.errors import ModelError, UsageError
from spqc.ir.sides import outputs

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {
    "in_shape": (1, 200, 3, 3), "classes": 16, "steps": 5, "coding": "direct",
    "weight_bits": 6, "weight_grid": "uniform", "batch_norm": "none", "membrane": "ace",
}  # fmt: skip

_BANDS = {"ace": (18, 7), "luo": (24, 9)}  # kernel and stride along the bands


@dataclass(frozen=True)
class Options:
    """bands: the first convolution's kernel along the bands: of ACE-SNN, or of its ancestor HSI-CNN (Luo 2018).

    kernels: how many kernels it has; hidden: neurons of the dense layer.
    """

    bands: Literal["ace", "luo"] = "ace"
    kernels: int = 90
    hidden: int = 1024

    def __post_init__(self) -> None:
        check_choices(self)
        if min(self.kernels, self.hidden) < 1:
            raise UsageError("kernels and hidden must be positive")


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications for patches [1, bands, rows, columns]; the image has a column for each kernel."""
    kernel, stride = _BANDS[options.bands]
    sides = {"kernel": [kernel, 3, 3], "stride": [stride, 1, 1]}
    return [
        {"op": "conv3d", "out": options.kernels, **sides},
        {"op": "reshape", "shape": [1, _positions(network.in_shape, kernel, stride), options.kernels]},
        {"op": "conv2d", "out": 64, "kernel": 3},
        {"op": "flatten"},
        {"op": "linear", "out": options.hidden},
        {"op": "linear", "out": network.classes},
    ]


def _positions(in_shape: tuple[int, ...], kernel: int, stride: int) -> int:
    """Return how many windows the first convolution has."""
    if len(in_shape) != 4:
        shown = list(in_shape)
        raise ModelError(f"a patch is [1, bands, rows, columns], not {shown}", hint="e.g. in_shape=(1, 200, 3, 3)")
    depth, rows, columns = outputs(in_shape[1:], (kernel, 3, 3), (stride, 1, 1), (0, 0, 0))
    if min(depth, rows, columns) < 1:
        raise ModelError(f"a patch {list(in_shape)} is smaller than the first kernel, {kernel}x3x3")
    return depth * rows * columns
