"""The integer lattices of quantised weights.

Every grid is a set of integers; a real weight is `integer * scale` with one positive scale per layer.
A code is how one integer is stored: a sign bit above `bits - 1` magnitude bits (the index into `magnitudes`).
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import ModelError

Integers = npt.NDArray[np.int64]

# One tuple per additive term; a magnitude takes one entry of each. Rule of the APoT authors' base-2-bit construction,
# as integers: bits -> terms. The 8-bit row extends their rule.
_APOT_TERMS: dict[int, tuple[tuple[int, ...], ...]] = {
    2: ((0, 1),),
    3: ((0, 1, 2, 4),),
    4: ((0, 8, 4, 1), (0, 2)),
    5: ((0, 32, 8, 2), (0, 16, 4, 1)),
    6: ((0, 64, 16, 2), (0, 32, 8, 1), (0, 4)),
    7: ((0, 256, 32, 4), (0, 128, 16, 2), (0, 64, 8, 1)),
    8: ((0, 512, 64, 4), (0, 256, 32, 2), (0, 128, 16, 1), (0, 8)),
}


def pot_magnitudes(bits: int) -> Integers:
    """Return 0 and the powers of two of a `bits`-wide signed power-of-two grid: 0, 1, 2, ..., 2^(2^(bits-1)-2).

    At 4 bits: 0, 1, ..., 64, so that a real weight is `alpha * integer / 64` (SpQuant-SNN, section "weights").
    """
    if not 2 <= bits <= 6:
        raise ModelError(
            f"a power-of-two grid has 2 to 6 stored bits, not {bits}",
            hint="use weight_grid='apot' or 'uniform' for 8 bits",
        )
    return np.array([0, *(1 << k for k in range(2 ** (bits - 1) - 1))], dtype=np.int64)


def pot_stored_bits(bits: int, exponent_floor: int = -14) -> int:
    """Return how many bits a `bits`-wide power-of-two weight needs when exponents stop at `exponent_floor`.

    An 8-bit grid would reach 2^-126, useless in fixed point; with the floor -14 it has 15 magnitudes: 5 bits.
    """
    levels = min(2 ** (bits - 1) - 1, 1 - exponent_floor)
    return 1 + int(levels).bit_length()


def apot_magnitudes(bits: int) -> Integers:
    """Return the ascending magnitudes of an additive power-of-two grid: sums of powers of two (base 2 bits)."""
    if not 2 <= bits <= 8:
        raise ModelError(f"an additive power-of-two grid has 2 to 8 bits, not {bits}")
    sums = (sum(chosen) for chosen in itertools.product(*_APOT_TERMS[bits]))
    return np.array(sorted(set(sums)), dtype=np.int64)


def magnitudes(encoding: str, bits: int) -> Integers:
    """Return the ascending magnitudes of the grid that a type `encoding` + `bits` names (`pot` or `apot`)."""
    return pot_magnitudes(bits) if encoding == "pot" else apot_magnitudes(bits)
