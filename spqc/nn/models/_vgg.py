"""What the VGG networks share: convolutions of 3x3 in stages, a pooling after each, and one or two dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spqc.foundation.errors import UsageError

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {"in_shape": (3, 48, 48), "classes": 10, "steps": 10}

P = None
"""A pooling in a plan."""


@dataclass(frozen=True)
class Plan:
    """Channels of the convolutions, with `P` for a pooling, and the neurons of a hidden dense layer (0: none)."""

    features: tuple[int | None, ...]
    hidden: int = 0


@dataclass(frozen=True)
class VggOptions:
    """width: factor on channel counts; pool: avg or max; pool_position: after the spikes or before the neuron (A13)."""

    width: float = 1.0
    pool: Literal["avg", "max"] = "avg"
    pool_position: Literal["after", "before"] = "after"

    def __post_init__(self) -> None:
        check_choices(self)
        if not self.width > 0.0:
            raise UsageError(f"width must be positive, not {self.width}")
        if self.pool == "max" and self.pool_position == "before":
            raise UsageError("pool_position='before' averages currents: it does not go with pool='max'")


def layers_of(plan: Plan, options: VggOptions, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications of a plan."""
    specs: list[dict[str, Any]] = []
    for channels in plan.features:
        if channels is not P:
            specs.append({"op": "conv2d", "out": _scaled(channels, options), "kernel": 3, "padding": 1})
        elif options.pool_position == "before":
            specs[-1]["pool_before"] = 2
        else:
            specs.append({"op": f"{options.pool}_pool", "kernel": 2})
    return [*specs, {"op": "flatten"}, *_dense([plan.hidden] if plan.hidden else [], options, network)]


def _dense(hidden: Sequence[int], options: VggOptions, network: NetworkOptions) -> list[dict[str, Any]]:
    layers = [{"op": "linear", "out": _scaled(features, options)} for features in hidden]
    return [*layers, {"op": "linear", "out": network.classes}]


def _scaled(channels: int, options: VggOptions) -> int:
    return max(1, round(channels * options.width))
