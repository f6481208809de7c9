"""VGG-9 of SpQuant-SNN: 64C3-128C3-P-256C3-256C3-P-512C3-512C3-P-512C3-512C3-P-FC; form=lt is that of LT-SNN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..config import NetworkOptions
from ._vgg import DEFAULTS, P, Plan, VggOptions, layers_of

__all__ = ["DEFAULTS", "Options", "layers"]

_PLANS = {
    "spquant": Plan((64, 128, P, 256, 256, P, 512, 512, P, 512, 512, P)),
    "lt": Plan((32, 64, 64, P, 128, 128, P, 256, 256, P, 512, 512, P), hidden=512),
}


@dataclass(frozen=True)
class Options(VggOptions):
    """form: `spquant` (9.26 M weights at 48x48) or `lt` (9 convolutions and two dense layers, 7.07 M weights).

    In the released code of the second no neuron stands between the two dense layers; here, as everywhere, one does.
    """

    form: Literal["spquant", "lt"] = "spquant"


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications."""
    return layers_of(_PLANS[options.form], options, network)
