"""Specifications of single layers changed from outside a model: mixed bits, other neurons here and there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from spqc.foundation.errors import UsageError

Spec = Mapping[str, Any]

KEYS = frozenset({"weight_bits", "weight_grid", "sparsity", "membrane", "neuron"})
"""What may be overridden: nothing that changes a shape."""


def apply(specs: Sequence[Spec], overrides: Mapping[str, Mapping[str, Any]]) -> list[Spec]:
    """Return the specifications with the overrides over them, by layer name. Raises UsageError.

    A layer's name is its own `name`, or `features.INDEX`; the last is `classifier` as well.
    """
    places = {f"features.{index}": index for index in range(len(specs) - 1)} | {"classifier": len(specs) - 1}
    places |= {str(spec["name"]): index for index, spec in enumerate(specs) if "name" in spec}
    changed = [dict(spec) for spec in specs]
    for layer, own in overrides.items():
        if layer not in places:
            near = difflib.get_close_matches(layer, places, n=1)
            raise UsageError(
                f"there is no layer {layer!r} to override",
                hint=f"did you mean '{near[0]}'?" if near else f"the layers are {', '.join(places)}",
            )
        unknown = sorted(set(own) - KEYS)
        if unknown:
            hint = f"what may be overridden: {', '.join(sorted(KEYS))}"
            raise UsageError(f"a layer has no {unknown[0]!r} to override", where=layer, hint=hint)
        changed[places[layer]].update(own)
    return [*changed]
