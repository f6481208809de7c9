"""The integer lattices of weights, against the tables of the literature."""

from __future__ import annotations

import numpy as np
import pytest

from spqc.foundation.errors import ModelError
from spqc.ir import grids

POT = {
    2: [0, 1],
    3: [0, 1 / 4, 1 / 2, 1],
    4: [0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1],
}
APOT = {
    2: [0, 1],
    3: [0, 1, 2, 4],
    4: [0, 1, 2, 3, 4, 6, 8, 10],
    5: [0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48],
}
# bits -> (magnitudes, greatest, powers of two that a level adds at most)
APOT_SHAPE = {
    2: (2, 1, 1),
    3: (4, 4, 1),
    4: (8, 10, 2),
    5: (16, 48, 3),
    6: (32, 100, 3),
    7: (64, 448, 3),
    8: (128, 904, 4),
}


@pytest.mark.parametrize("bits", POT)
def test_power_of_two_table(bits: int) -> None:
    found = grids.pot_magnitudes(bits)
    assert (found / found[-1]).tolist() == POT[bits]
    assert 2 * len(found) - 1 == 2**bits - 1


@pytest.mark.parametrize("bits", APOT)
def test_additive_table(bits: int) -> None:
    assert grids.apot_magnitudes(bits).tolist() == APOT[bits]


@pytest.mark.parametrize("bits", APOT_SHAPE)
def test_additive_sizes_tops_and_terms(bits: int) -> None:
    found = grids.apot_magnitudes(bits)
    size, top, terms = APOT_SHAPE[bits]
    assert (len(found), int(found[-1])) == (size, top)
    assert max(int(value).bit_count() for value in found) <= terms


def test_eight_bits_of_powers_stop_at_an_exponent_floor() -> None:
    assert {bits: grids.pot_stored_bits(bits) for bits in range(2, 9)} == {2: 2, 3: 3, 4: 4, 5: 5, 6: 5, 7: 5, 8: 5}
    found = grids.pot_magnitudes(grids.pot_stored_bits(8))
    assert 2 * len(found) - 1 == 31
    assert np.log2(found[1] / found[-1]) == -14


@pytest.mark.parametrize(("encoding", "bits"), [("pot", 1), ("pot", 7), ("apot", 1), ("apot", 9)])
def test_other_widths_do_not_exist(encoding: str, bits: int) -> None:
    with pytest.raises(ModelError, match=f"not {bits}"):
        grids.magnitudes(encoding, bits)
