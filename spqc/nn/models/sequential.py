"""Any feed-forward network, given as a list of layer specifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spqc.foundation.errors import ModelError

from ..config import NetworkOptions

DEFAULTS: dict[str, Any] = {}


@dataclass(frozen=True)
class Options:
    """layers: specifications of the builder, such as {"op": "conv2d", "out": 16, "kernel": 3, "padding": 1}."""

    layers: Sequence[dict[str, Any]] = field(default_factory=tuple)


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the specifications as given; a neuron follows every conv2d and linear but the last."""
    if not isinstance(options.layers, list | tuple):
        raise ModelError("layers must be a list of specifications")
    return list(options.layers)
