"""Switches of a training, `quant` or `spquant+adaptive`: what a network is made of, beside the recipe of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spqc.foundation.errors import UsageError
from spqc.foundation.options import nearest


@dataclass(frozen=True)
class Preset:
    """Options that one word stands for: the network's, the recipe's, and the flow that trains it.

    base: whether the word says what a network is made of (exactly one such word leads), or adds to it.
    """

    summary: str
    base: bool = True
    network: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    flow: str = "spiking"


_FULL = {"weight_bits": 32, "classifier_bits": 32, "membrane": "float"}
_MASKS = {"spatial_mask": 0.35, "channel_gate": True}

PRESETS: dict[str, Preset] = {
    "full": Preset("float weights and membrane, the baseline; not compiled", network=_FULL),
    "quant": Preset("low-bit weights and a ternary membrane, by the recipe of the model"),
    "spquant": Preset("quant with a spatial mask (35 %) and channel gates", network=_MASKS),
    "ace": Preset(
        "ACE-SNN: trains the CNN of the same layers, then from its weights a network of fixed-point membranes",
        network={"weight_bits": 6, "weight_grid": "uniform", "batch_norm": "none", "membrane": "ace"},
        flow="ace",
    ),
    "adaptive": Preset("learns the threshold of every layer", base=False, network={"learn_threshold": True}),
    "silenced": Preset("stores max(m, 0): a binary membrane", base=False, network={"silence": True}),
    "gated": Preset("pulls 68 % of the channel gates shut (ours)", base=False, recipe={"gate_target": 0.68}),
    "sparse": Preset("learns which weights are 0 (L0)", base=False, network={"sparsity": "l0"}),
}  # fmt: skip


def find(text: str) -> Preset:
    """Return the sum of the words of `text`, joined by +: a base, then additions. Raises UsageError."""
    words = text.split("+")
    for word in words:
        if word not in PRESETS:
            raise UsageError(f"unknown preset {word!r}", hint=nearest(word, PRESETS))
    bases = [word for word in words if PRESETS[word].base]
    if bases != words[:1] or len(set(words)) < len(words):
        known = ", ".join(name for name, preset in PRESETS.items() if preset.base)
        raise UsageError(
            f"preset {text!r} is not one base and additions", hint=f"begin with one of {known}; e.g. spquant+adaptive"
        )
    chosen = [PRESETS[word] for word in words]
    return Preset(
        "; ".join(preset.summary for preset in chosen),
        network={key: value for preset in chosen for key, value in preset.network.items()},
        recipe={key: value for preset in chosen for key, value in preset.recipe.items()},
        flow=chosen[0].flow,
    )
