"""ACE-SNN: what its published gains and savings imply."""

from __future__ import annotations

from dataclasses import dataclass

from spqc.cost.ace import mac_of_bits, share_in_memory
from spqc.cost.constants import constant

from .published import figure

_EXPONENTS = (1.25, 1.5, 2.0)


@dataclass(frozen=True)
class Implications:
    """mac_ratio: 32-bit over 6-bit multiply-accumulates. mac_pj: of 6 bits, if 32 bits are integers, or floats.

    scalings: an exponent e with the energy of a 6-bit integer operation, were a multiplication to shrink with
    `(6/32)^e` and an addition with 6/32. energy_share, delay_share: of layer 1 in the whole spiking network. product:
    what the mean savings give as energy times delay.
    """

    mac_ratio: float
    integer_mac_pj: float
    float_mac_pj: float
    scalings: tuple[tuple[float, float], ...]
    energy_share: float
    delay_share: float
    product: float


def implications() -> Implications:
    """Return what follows from the figures of the two abstracts."""
    floats, narrow = figure("ace.gain_over_floats"), figure("ace.gain_over_6_bits")
    energy, delay = figure("ace.memory.energy"), figure("ace.memory.delay")
    return Implications(
        mac_ratio=floats / narrow,
        integer_mac_pj=mac_of_bits(floats, narrow, "int32_mac_45"),
        float_mac_pj=mac_of_bits(floats, narrow, "fp32_mac_45"),
        scalings=tuple((power, _scaled_pj(power)) for power in _EXPONENTS),
        energy_share=share_in_memory(energy, figure("imac.energy")),
        delay_share=share_in_memory(delay, figure("imac.delay")),
        product=1 - (1 - energy) * (1 - delay),
    )


def _scaled_pj(power: float) -> float:
    product, addition = constant("int32_mul_45").pj, constant("int32_add_45").pj
    return float(product * (6 / 32) ** power + addition * 6 / 32)
