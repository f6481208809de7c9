"""Spikformer-D-d: spiking patch splitting, D blocks of spike attention and perceptron on d channels, a mean, a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spqc.foundation.errors import UsageError

from ..config import NetworkOptions
from ..options import check_choices

DEFAULTS: dict[str, Any] = {
    "in_shape": (3, 32, 32), "classes": 10, "steps": 4, "coding": "direct",
    "leak": 0.5, "input_scale": 0.5,
}  # fmt: skip

VARIANTS: dict[str, dict[str, Any]] = {
    "spikformer-4-256": {"depth": 4, "channels": 256, "heads": 8},
    "spikformer-4-384": {"depth": 4, "channels": 384, "heads": 12},
    "spikformer-8-512": {
        "depth": 8,
        "channels": 512,
        "heads": 8,
        "pools": 4,
        "in_shape": (3, 224, 224),
        "classes": 1000,
    },
}

_ATTENTION_THRESHOLD = 0.5


@dataclass(frozen=True)
class Options:
    """depth: blocks; channels: of a token; heads share them; expansion: of the perceptrons.

    pools: how many of the four patch convolutions, from the last, a 3x3/2 max pooling follows: 2 for 32x32, 4 for 224.
    """

    depth: int = 4
    channels: int = 256
    heads: int = 8
    expansion: int = 4
    pools: int = 2

    def __post_init__(self) -> None:
        check_choices(self)
        if self.channels < 8 or self.channels % 8:
            raise UsageError(f"channels must be a multiple of 8, not {self.channels}")
        if self.depth < 1 or self.expansion < 1 or not 0 <= self.pools <= 4:
            raise UsageError("depth and expansion must be positive, and pools 0 to 4")


def layers(options: Options, network: NetworkOptions) -> list[dict[str, Any]]:
    """Return the layer specifications."""
    specs = _patches(options)
    for block in range(options.depth):
        specs += _attention(f"x{block}", f"y{block}", options) + _perceptron(f"y{block}", f"x{block + 1}", options)
    return [*specs, {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "out": network.classes}]


def _patches(options: Options) -> list[dict[str, Any]]:
    """Return the patch splitting: four convolutions, then one more whose spikes say where a token is."""
    specs: list[dict[str, Any]] = []
    for index, share in enumerate((8, 4, 2, 1)):
        specs.append({"op": "conv2d", "out": options.channels // share, "kernel": 3, "padding": 1})
        if index >= 4 - options.pools:
            specs.append({"op": "max_pool", "kernel": 3, "stride": 2, "padding": 1})
    specs[-1]["name"] = "patches"
    position = {"op": "conv2d", "out": options.channels, "kernel": 3, "padding": 1, "name": "position"}
    return [*specs, position, _add("patches", "position", "x0")]


def _attention(source: str, name: str, options: Options) -> list[dict[str, Any]]:
    three = [f"{source}.{part}" for part in "qkv"]
    return [
        *(_token(options.channels, name=part, **{"from": source}) for part in three),
        {"op": "attention", "from": three, "heads": options.heads},
        {"op": "neuron", "neuron": {"threshold": _ATTENTION_THRESHOLD, "clamp_threshold": False}},
        _token(options.channels, name=f"{source}.attended"),
        _add(source, f"{source}.attended", name),
    ]


def _perceptron(source: str, name: str, options: Options) -> list[dict[str, Any]]:
    return [
        _token(options.channels * options.expansion),
        _token(options.channels, name=f"{source}.mixed"),
        _add(source, f"{source}.mixed", name),
    ]


def _token(out: int, **more: Any) -> dict[str, Any]:
    """Return a dense layer over the channels of every token."""
    return {"op": "conv2d", "out": out, "kernel": 1, **more}


def _add(first: str, second: str, name: str) -> dict[str, Any]:
    return {"op": "add", "from": [first, second], "name": name}
