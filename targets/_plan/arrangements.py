"""How constants lie for the kernels: packed weights of the artifact become the byte order that the loops read.

Only numpy: the runtime does this when it loads an artifact, without any compiler. One frozen class is one form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .aligned import Bytes, aligned
from .arranged_slices import AdderPrograms, Columns
from .arranged_tables import Codes, CodeTables, ConstantInputSpikes, PermutedThresholds, Table, Vector
from .arranged_weights import BitPlanes, EventRows, RowPlaces, SparseRows, Spread, Taps, Weight
from .arrangement import Arrangement, Integers, Placed

__all__ = [
    "FORMS",
    "AdderPrograms",
    "Arrangement",
    "BitPlanes",
    "CodeTables",
    "Codes",
    "Columns",
    "ConstantInputSpikes",
    "EventRows",
    "PermutedThresholds",
    "Placed",
    "RowPlaces",
    "SparseRows",
    "Spread",
    "Table",
    "Taps",
    "Vector",
    "Weight",
    "from_settings",
    "lay_out",
]  # fmt: skip

FORMS: Mapping[str, type[Arrangement]] = {
    form.form: form
    for form in (
        AdderPrograms, BitPlanes, Codes, CodeTables, Columns, ConstantInputSpikes, EventRows, PermutedThresholds,
        RowPlaces, SparseRows, Spread, Table, Taps, Vector, Weight,
    )
}  # fmt: skip
"""Every form by its name in the settings of an artifact."""


def from_settings(settings: Mapping[str, Any]) -> Placed[Arrangement]:
    """Return what `Placed.settings` wrote; KeyError or TypeError where it did not."""
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    form, offset, size = FORMS[fields.pop("form")], fields.pop("offset"), fields.pop("bytes")
    placed = Placed(form(**fields), offset)
    if placed.bytes != size:
        raise TypeError(f"'{placed.arrangement.name}' takes {placed.bytes} bytes, not {size}")
    return placed


def lay_out(placed: Sequence[Placed[Arrangement]], data: Mapping[str, Integers], size: int) -> Bytes:
    """Return the kernels' constant memory of `size` bytes, from the integers of each constant."""
    memory = aligned(size)
    for one in placed:
        place, arrangement = one.offset, one.arrangement
        for slab in arrangement.slabs(data[arrangement.name]):
            elements = arrangement.layout(slab).astype(arrangement.dtype, copy=False)
            raw = np.ascontiguousarray(elements).view(np.uint8).ravel()
            memory[place : place + raw.size] = raw
            place += raw.size
    return memory
