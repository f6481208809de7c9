"""Named training set-ups: the network's options and the optimiser's."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from spqc.errors import UsageError


@dataclass(frozen=True)
class Preset:
    """One set-up; learning_rate: Adam, cosine to 0; regulariser: lam of the TET loss; shift: random, in pixels."""

    summary: str
    network: dict[str, Any] = field(default_factory=dict)
    epochs: int = 60
    batch: int = 64
    learning_rate: float = 3e-3
    regulariser: float = 0.05
    shift: int = 1


_QUANTISED = {"steps": 4, "weight_bits": 4, "weight_grid": "pot", "membrane": "ternary"}

PRESETS: dict[str, Preset] = {
    "full": Preset(
        "float weights and membrane, the baseline",
        {"steps": 4, "weight_bits": 32, "classifier_bits": 32, "membrane": "float"},
    ),
    "quant": Preset("4-bit power-of-two weights, ternary membrane", dict(_QUANTISED)),
    "spquant": Preset(
        "quant with spatial mask, channel gate and learned thresholds",
        {**_QUANTISED, "spatial_mask": 0.35, "channel_gate": True, "learn_threshold": True},
        epochs=80,
    ),
}


def find(name: str) -> Preset:
    """Return a preset by name. Raises UsageError."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"the presets are {', '.join(PRESETS)}"
        raise UsageError(f"unknown preset {name!r}", hint=hint)
    return PRESETS[name]
