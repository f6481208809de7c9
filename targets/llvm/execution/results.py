"""What compiled functions leave in memory, as arrays: logits, and what each layer did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.ir.types import Array
from spqc.plugins.frontend import Observation
from spqc.targets._plan.geometry import padded
from spqc.targets._tir.width import LANES

from ..loader.native import Call


def logits_of(settings: Mapping[str, Any], call: Call, steps: int) -> Array:
    """Return a copy of the integer logits [N, steps, classes] of a call."""
    classes = int(settings["classes"])
    width = padded(classes, LANES)
    raw, samples = call.memory["result"].view(np.int32), call.samples
    kept = raw[: samples * raw_steps(settings, steps) * width].reshape(samples, -1, width)[:, :, :classes]
    return np.repeat(kept, steps, axis=1).astype(np.int64) if kept.shape[1] != steps else kept.astype(np.int64)


def observation_of(settings: Mapping[str, Any], call: Call) -> Observation:
    """Return a copy of everything that a traced call of `run` saw."""
    function, samples, steps = settings["functions"]["run"], call.samples, int(settings["steps"])
    raw = call.memory["trace"][: samples * int(function["trace_bytes"])].reshape(samples, -1)
    spikes: dict[str, Array] = {}
    gates: dict[str, Array] = {}
    states: dict[str, list[Array]] = {}
    for slot in function["traces"]:
        layer = slot["origin"].split(" ")[0] or slot["name"]
        array = _slot_array(raw, slot, steps)
        if slot["kind"] == "gate":
            gates[layer] = array
        else:
            states.setdefault(layer, []).append((array >> 1) + slot["low"])
            if slot["kind"] == "neuron":
                spikes[layer] = array & 1
    stored = {name: parts[0] if len(parts) == 1 else np.stack(parts, axis=2) for name, parts in states.items()}
    return Observation(logits_of(settings, call, steps), spikes, stored, gates)


def raw_steps(settings: Mapping[str, Any], steps: int) -> int:
    """Return how many steps of logits one call writes."""
    return 1 if settings["constant_result"] else steps


def _slot_array(raw: npt.NDArray[np.uint8], slot: Mapping[str, Any], steps: int) -> npt.NDArray[np.int64]:
    """Return [N, T, C, ...] of one trace slot."""
    channels, *sides = slot["shape"]
    pixels = math.prod(sides)
    width = padded(channels, LANES)
    kept = 1 if slot["constant"] else steps
    size = kept * pixels * width * slot["bits"] // 8
    part = np.ascontiguousarray(raw[:, slot["offset"] : slot["offset"] + size])
    every = part.view(np.uint8 if slot["bits"] == 8 else np.int32).reshape(raw.shape[0], kept, pixels, width)
    elements = every[..., :channels].transpose(0, 1, 3, 2).astype(np.int64)
    array = elements.reshape(raw.shape[0], kept, *slot["shape"])
    return np.repeat(array, steps, axis=1) if kept != steps else array


def joined(parts: list[Observation]) -> Observation:
    """Return observations of parts of a batch as one."""

    def together(name: str) -> dict[str, Array]:
        first = getattr(parts[0], name)
        return {layer: np.concatenate([getattr(p, name)[layer] for p in parts]) for layer in first}

    logits = np.concatenate([p.logits for p in parts])
    return Observation(logits, together("spikes"), together("states"), together("gates"))
