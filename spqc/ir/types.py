"""What one value of the temporal graph holds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import GraphError
from spqc.foundation.options import format_value

Array = npt.NDArray[Any]
Encoding = Literal["spike", "ternary", "int", "uint", "pot", "apot", "fixed", "float"]
Clock = Literal["const", "step"]

_NAMED_BITS = {"spike": 1, "ternary": 2}
_WIDTHS = {
    "int": range(1, 65), "uint": range(1, 65), "fixed": range(1, 65), "pot": range(2, 7), "apot": range(2, 9),
    "float": (16, 32, 64),
}  # fmt: skip
LARGEST_SIZE = 1 << 28
"""Elements of one value that a text may name: twice the largest layer that was ever published for these networks."""
_TYPE = re.compile(
    r"(spike|ternary|int|uint|pot|apot|fixed|float)([0-9]{0,3})<((?:[0-9]{1,9}(?:x[0-9]{1,9}){0,7})?)>"
    r"(?:\*([0-9.eE+-]{1,32}))?(?: @(const))?"
)


@dataclass(frozen=True)
class Type:
    """A shape of `bits`-wide elements, once (`const`) or at every step; a real value is `element * scale`.

    Batch is an execution parameter and not part of a shape.
    """

    encoding: Encoding
    bits: int
    shape: tuple[int, ...]
    clock: Clock = "step"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.encoding not in get_args(Encoding) or self.bits < 1 or min(self.shape, default=1) < 1:
            raise GraphError(f"not a type: {self}", hint="every dimension and width is at least 1")

    def __str__(self) -> str:
        name = self.encoding if self.encoding in _NAMED_BITS else f"{self.encoding}{self.bits}"
        scale = "" if self.scale == 1 else f"*{format_value(self.scale)}"
        clock = "" if self.clock == "step" else f" @{self.clock}"
        return f"{name}<{'x'.join(map(str, self.shape))}>{scale}{clock}"

    @property
    def size(self) -> int:
        """The number of elements at one step; 1 for a scalar."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_integer(self) -> bool:
        """Whether elements are integers: all but `float`."""
        return self.encoding != "float"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type the interpreter computes in: exact for every encoding."""
        return np.dtype(f"float{self.bits}") if self.encoding == "float" else np.dtype(np.int64)

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and largest integer element."""
        if self.encoding in ("spike", "uint"):
            return 0, 2**self.bits - 1
        if self.encoding == "ternary":
            return -1, 1
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1


def parse_type(text: str) -> Type:
    """Read a type as `str` prints it; GraphError when it is none."""
    match = _TYPE.fullmatch(text.strip())
    if match is None or (match[1] in _NAMED_BITS) == bool(match[2]):
        raise GraphError(f"not a type: '{_cut(text)}'", hint="write e.g. int4<8x2x3x3> @const")
    encoding, bits, dims, scale, clock = match.groups()
    width = _NAMED_BITS.get(encoding) or int(bits)
    if encoding in _WIDTHS and width not in _WIDTHS[encoding]:
        widths = ", ".join(map(str, _WIDTHS[encoding])) if encoding == "float" else _ends(_WIDTHS[encoding])
        raise GraphError(f"'{encoding}' has no width of {width} bits", hint=f"its widths are {widths}")
    shape = tuple(int(dim) for dim in dims.split("x") if dim)
    if math.prod(shape) > LARGEST_SIZE:
        raise GraphError(f"{dims} are more elements than one value has", hint=f"at most {LARGEST_SIZE} are read")
    return Type(encoding, width, shape, clock or "step", _scale(scale))  # type: ignore[arg-type]


def _scale(text: str | None) -> float:
    try:
        scale = float(text or 1)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise GraphError(f"'{text}' is no scale", hint="a scale is a positive number")
    return scale


def _ends(widths: Sequence[int]) -> str:
    return f"{widths[0]} to {widths[-1]}"


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."


def signed_type(low: int, high: int, shape: tuple[int, ...], clock: Clock = "step", scale: float = 1.0) -> Type:
    """Return the narrowest signed integer type that holds [low, high]."""
    bits = max(int(max(-low - 1, high)).bit_length() + 1, 2)
    return Type("int", bits, shape, clock, scale)


def unsigned_type(high: int, shape: tuple[int, ...], clock: Clock = "step", scale: float = 1.0) -> Type:
    """Return the narrowest unsigned integer type that holds [0, high]."""
    return Type("uint", max(int(high).bit_length(), 1), shape, clock, scale)


def integer_type(low: int, high: int, shape: tuple[int, ...], clock: Clock = "step", scale: float = 1.0) -> Type:
    """Return the narrowest integer type that holds [low, high]: unsigned where nothing is negative."""
    return unsigned_type(high, shape, clock, scale) if low >= 0 else signed_type(low, high, shape, clock, scale)


def state_type(low: int, high: int, shape: tuple[int, ...]) -> Type:
    """Return the type of a membrane whose level codes are low..high (0 is the level 0)."""
    if (low, high) == (-1, 1):
        return Type("ternary", 2, shape)
    return unsigned_type(high, shape) if low == 0 else signed_type(low, high, shape)
