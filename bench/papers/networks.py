"""The networks of the papers with the options that their tables use, and their accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from spqc.commands.sources import read_model
from spqc.cost.account import Account, account_of


@dataclass(frozen=True)
class Network:
    """A model of `spqc list models` with options."""

    title: str
    model: str
    options: Mapping[str, Any]

    @property
    def command(self) -> str:
        """The command that accounts for it."""
        chosen = [f"--set {key}={_text(value)}" for key, value in self.options.items()]
        return " ".join(["spqc analyze", self.model, *chosen])


_SMALL = {"weight_bits": 2}
_HYPERSPECTRAL = {"Indian Pines": (200, 16), "Pavia University": (103, 9), "Salinas": (204, 16)}
"""Bands and classes of the data sets."""
_HYPERSPECTRAL_NETWORKS = (
    ("CNN-3D", "cnn-3d", 5, ("widths", "ace")),
    ("CNN-3D with Hamida's widths", "cnn-3d", 5, ("widths", "hamida")),
    ("CNN-32H", "cnn-32h", 3, ("bands", "ace")),
    ("CNN-32H with Luo's kernel", "cnn-32h", 3, ("bands", "luo")),
)

NETWORKS: dict[str, Network] = {
    "vgg9": Network("VGG-9, 48x48, T=10", "vgg9", _SMALL),
    "vgg9-lt": Network("VGG-9 of LT-SNN, 48x48", "vgg9", {"form": "lt"}),
    "vgg7": Network("VGG-7 of LT-SNN, reconstructed", "vgg7", {}),
    "vgg11": Network("VGG-11 of LT-SNN, reconstructed", "vgg11", {}),
    "resnet19": Network("ResNet-19, 32x32, T=2", "resnet19", {"weight_bits": 4, "steps": 2}),
    "resnet34": Network("ResNet-34, 224x224, T=4", "resnet34", {"weight_bits": 4, "steps": 4}),
    "resnet34-pool": Network(
        "ResNet-34 with the stem's max pool, T=4", "resnet34", {"weight_bits": 8, "steps": 4, "stem_pool": True}
    ),
    "yolov2": Network("Custom-YOLOv2, 223x287, T=1", "yolov2", {"weight_bits": 4, "steps": 1}),
    "mobilenet": Network("MobileNet light, 48x48", "mobilenet", {}),
    "spikformer-4-256": Network("Spikformer-4-256, 32x32", "spikformer-4-256", {"weight_bits": 8}),
    "spikformer-4-384": Network("Spikformer-4-384, 32x32", "spikformer-4-384", {"weight_bits": 8}),
    "spikformer-8-512": Network("Spikformer-8-512, 224x224", "spikformer-8-512", {"weight_bits": 8}),
}


@cache
def account(key: str) -> Account:
    """Return the account of one of the networks."""
    from spqc.nn import models

    network = NETWORKS[key]
    return account_of(read_model(models.outline(network.model, **network.options)).graph)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def hyperspectral() -> list[tuple[str, Account]]:
    """Return the accounts of ACE-SNN's two networks, and of their ancestors, on every data set."""
    accounts = []
    for title, model, side, option in _HYPERSPECTRAL_NETWORKS:
        for data, (bands, classes) in _HYPERSPECTRAL.items():
            accounts.append((f"{title}, {data}", _hyperspectral(model, (1, bands, side, side), classes, option)))
    return accounts


@cache
def _hyperspectral(model: str, in_shape: tuple[int, ...], classes: int, option: tuple[str, str]) -> Account:
    from spqc.nn import models

    # a ternary membrane in place of ACE-SNN's, whose width would be proven from drawn weights; it changes no count here
    options: dict[str, Any] = {"in_shape": in_shape, "classes": classes, "membrane": "ternary", option[0]: option[1]}
    return account_of(read_model(models.outline(model, **options)).graph)
