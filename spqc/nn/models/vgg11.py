"""VGG-11 of LT-SNN, reconstructed to the 9.34 M weights reported; form=released is the public layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..config import NetworkOptions
from ._vgg import DEFAULTS, P, Plan, VggOptions, layers_of

__all__ = ["DEFAULTS", "Options", "layers"]

_PLANS = {
    "reported": Plan((64, 64, 64, 128, P, 256, 256, P, 512, 512, P, 512, 512, P)),
    "released": Plan((64, 128, P, 256, 256, P, 512, 512, 512, 512, P, 1024, P), hidden=512),
}


@dataclass(frozen=True)
class Options(VggOptions):
    """form: `reported` or `released`.

    The public layout has 18.66 M weights at 48x48 and not the 9.34 M reported. The layout of the other form was chosen
    to have those (9 337 536): ten convolutions and a dense layer, VGG-9 with two more of 64 channels; it is not
    published.
    """

    form: Literal["reported", "released"] = "reported"


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications."""
    return layers_of(_PLANS[options.form], options, network)
