"""Arrangements: the settings of an artifact give them back, and each lays out as many bytes as it says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from spqc.ir import Array
from spqc.targets._plan.arrangements import (
    FORMS,
    AdderPrograms,
    Arrangement,
    BitPlanes,
    Codes,
    CodeTables,
    Columns,
    ConstantInputSpikes,
    EventRows,
    PermutedThresholds,
    Placed,
    RowPlaces,
    SparseRows,
    Spread,
    Table,
    Taps,
    Vector,
    Weight,
    from_settings,
    lay_out,
)

rng = np.random.default_rng(0)
TERNARY = rng.integers(-1, 2, (17, 6, 3, 3))
SPARSE = TERNARY * (rng.random((17, 1, 1, 1)) < 0.5)
THETA = np.sort(rng.integers(-40, 40, (3, 3, 17)), axis=1)
CASES: list[tuple[Arrangement, Array]] = [
    (Weight("w", "int8", 17, (3, 3), 8, 16, 4), TERNARY),
    (Weight("w", "int8", 17, (3, 3), 16, 32, 1, shifts=True), TERNARY * 4),
    (Weight("w", "int8", 17, (3, 3), 8, 16, 4, byte=1, bytes_per_weight=2), TERNARY * 300),
    (SparseRows("w", "int8", 17, (3, 3), 8, 16, 4, rows=36), TERNARY),
    (RowPlaces("w", "int32", 17, (3, 3), 8, 16, 4, rows=36, heads=3, strides=(3, 64, 8)), TERNARY),
    (Taps("w", "int8", 17, (3, 3), 16), TERNARY[:, :1]),
    (Spread("w", "int8", 17, (3, 3), 16, 16), TERNARY),
    (BitPlanes("w", "int32", 17, (3, 3), 16, 16, words=5), TERNARY),
    (EventRows("w", "int16", 17, (3, 3), 8, 32, block=4, bias=1), TERNARY),
    (Table("t", "int32", 9, 17, 16, fill=2**31 - 1), THETA),
    (Vector("v", "int32", 17, 16), THETA[0, 0]),
    (
        PermutedThresholds("t", "int16", 17, 32, 2, 3, (0, 1, 2, 1), (0, 0, 0, 0), (-1, -1, -1, -1)),
        THETA,
    ),
    (ConstantInputSpikes("t", "int32", 17, 4, places=4, lanes=16, entries=(-1, 0, 1, 0), fires=3, carry=()), THETA),
    (Codes("w", "int16", 17, (3, 3), 6, 16, 4, 0, ("whole", 0, 1), (-1, 0, 1), 6, 6, False, 64), TERNARY),
    (CodeTables("w", "int8", 0, (-1, 0, 1), 6, 6), TERNARY),
    (Columns("w", "int64", 3, width=5, height=2, source=5, stride=1, padding=1, words=1, times=2), TERNARY),
]


def with_sizes(arrangement: Arrangement, array: Array) -> Arrangement:
    """Return an arrangement whose size follows from the array, with that size."""
    fields = arrangement.settings()
    fields.pop("form")
    if isinstance(arrangement, SparseRows | RowPlaces):
        fields["rows"] = int(arrangement.kept(array).sum())
    if isinstance(arrangement, ConstantInputSpikes):
        fields["places"] = (arrangement.layout(array).shape[1] - 1) // 2
    return type(arrangement)(**fields)


@pytest.mark.parametrize(("arrangement", "array"), CASES, ids=lambda v: getattr(v, "form", ""))
def test_settings_give_an_arrangement_back(arrangement: Arrangement, array: Array) -> None:
    placed = Placed(arrangement, 192)
    settings = json.loads(json.dumps(placed.settings()))
    assert from_settings(settings) == placed


@pytest.mark.parametrize(("arrangement", "array"), CASES, ids=lambda v: getattr(v, "form", ""))
def test_as_many_bytes_are_laid_out_as_are_said(arrangement: Arrangement, array: Array) -> None:
    """Part by part as whole: what memory is saved by must change no byte."""
    arrangement = with_sizes(arrangement, array)
    memory = lay_out([Placed(arrangement, 64)], {arrangement.name: array}, 64 + arrangement.bytes)
    whole = np.ascontiguousarray(arrangement.layout(array).astype(arrangement.dtype)).view(np.uint8).ravel()
    assert whole.size == arrangement.bytes
    np.testing.assert_array_equal(memory[64:], whole)
    assert not memory[:64].any()


def test_every_form_is_tried() -> None:
    assert {type(arrangement) for arrangement, _ in CASES} | {AdderPrograms} == set(FORMS.values())
    assert len(FORMS) == 15


@pytest.mark.parametrize(
    "change", [{"form": "nothing"}, {"bytes": 1}, {"lanes": None, "surplus": 1}, {"kernel": [5, 5]}], ids=str
)
def test_settings_that_say_something_else_are_refused(change: dict[str, Any]) -> None:
    settings = Placed(CASES[0][0], 0).settings() | change
    with pytest.raises((KeyError, TypeError)):
        from_settings(settings)
