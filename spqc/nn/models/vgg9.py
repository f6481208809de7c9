"""VGG-9 of SpQuant-SNN: 64C3-128C3-P-256C3-256C3-P-512C3-512C3-P-512C3-512C3-P-FC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from spqc.errors import UsageError

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {"in_shape": (3, 48, 48), "classes": 10, "steps": 10}

_PLAN: tuple[int | None, ...] = (64, 128, None, 256, 256, None, 512, 512, None, 512, 512, None)


@dataclass(frozen=True)
class Options:
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


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications."""
    before = options.pool_position == "before"
    specs: list[dict[str, Any]] = []
    for channels in _PLAN:
        if channels is not None:
            specs.append({"op": "conv2d", "out": max(1, round(channels * options.width)), "kernel": 3, "padding": 1})
        elif before:
            specs[-1]["pool_before"] = 2
        else:
            specs.append({"op": f"{options.pool}_pool", "kernel": 2})
    return [*specs, {"op": "flatten"}, {"op": "linear", "out": network.classes}]
