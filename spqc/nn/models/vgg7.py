"""VGG-7 of LT-SNN, reconstructed to the 1.91 M weights reported; form=released is the public layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..config import NetworkOptions
from ._vgg import DEFAULTS, P, Plan, VggOptions, layers_of

__all__ = ["DEFAULTS", "Options", "layers"]

_PLANS = {
    "reported": Plan((64, 128, P, 128, 128, P, 256, P, 256, P, 256, P), hidden=256),
    "released": Plan((32, P, 64, 64, P, 128, 128, P, 256, 256, P), hidden=256),
}


@dataclass(frozen=True)
class Options(VggOptions):
    """form: `reported` or `released`.

    The public layout has 1.75 M weights at 48x48 and not the 1.91 M reported. The layout of the other form was chosen
    to have those (1 913 024): seven convolutions and two dense layers, like the public one; it is not published.
    """

    form: Literal["reported", "released"] = "reported"


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications."""
    return layers_of(_PLANS[options.form], options, network)
