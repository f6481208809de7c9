"""The energies of single operations, each with its source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Constant:
    """One energy in pJ at one node. evidence: `code` or `page` were read for this file, `recall` was not read again."""

    name: str
    pj: float
    node_nm: int
    operation: str
    source: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.pj:g} pJ at {self.node_nm} nm ({self.source}; {self.evidence})"


@cache
def constants() -> dict[str, Constant]:
    """Return every constant of constants.json by its name; read once."""
    content = json.loads((files(__package__) / "constants.json").read_text())
    return {name: Constant(name, **fields) for name, fields in content["constants"].items()}


def constant(name: str) -> Constant:
    """Return the constant of a name. Raises KeyError for an unknown one."""
    return constants()[name]


def addition(bits: int) -> tuple[float, str]:
    """Return the energy in pJ at 45 nm of an integer addition of any width, and how it was found.

    8 and 32 bits are tabulated; between and above them the line through both, below 8 bits in proportion: extrapolated.
    """
    eight, wide = constant("int8_add_45").pj, constant("int32_add_45").pj
    if bits == 8:
        return eight, "tabulated"
    if bits == 32:
        return wide, "tabulated"
    if bits < 8:
        return eight * bits / 8, "extrapolated"
    return eight + (wide - eight) * (bits - 8) / 24, "interpolated" if bits < 32 else "extrapolated"


def multiplication(bits: int) -> tuple[float, str]:
    """Return the energy in pJ at 45 nm of an integer multiplication; below 8 bits in proportion to the square."""
    eight, wide = constant("int8_mul_45").pj, constant("int32_mul_45").pj
    if bits in (8, 32):
        return (eight if bits == 8 else wide), "tabulated"
    if bits < 8:
        return eight * (bits / 8) ** 2, "extrapolated"
    return eight + (wide - eight) * (bits**2 - 64) / (1024 - 64), "interpolated" if bits < 32 else "extrapolated"


def memory_access(total_bits: int) -> Constant:
    """Return the cost of a 64-bit access to the smallest tabulated memory that holds so many bits, or the largest."""
    sizes = (("sram_64b_8kb_45", 8 << 10), ("sram_64b_32kb_45", 32 << 10), ("sram_64b_1mb_45", 1 << 20))
    return constant(next((name for name, size in sizes if total_bits <= 8 * size), sizes[-1][0]))
