"""How an input array becomes integer codes: one rule for the framework, the interpreter and the runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError, UsageError
from spqc.foundation.foreign_arrays import as_array

from .axis_order import AxisOrder, arranged

Encoding = Literal["pixels", "spikes", "digits"]
Coding = Literal["frames", "direct"]

_GREATEST_CODE: dict[str, int] = {"pixels": 255, "spikes": 1, "digits": 16}
_SCALE: dict[str, float] = {"pixels": 1 / 256, "spikes": 1.0, "digits": 1 / 16}


@dataclass(frozen=True)
class InputFormat:
    """What a network reads: `encoding` names the codes, `coding` says how they spread over the steps.

    `frames`: every step has its own frame (a single frame is repeated). `direct`: one static frame for all steps.
    """

    encoding: Encoding = "pixels"
    coding: Coding = "frames"

    def __post_init__(self) -> None:
        _require_choice("input", self.encoding, get_args(Encoding))
        _require_choice("coding", self.coding, get_args(Coding))

    @property
    def max(self) -> int:
        """Return the greatest code."""
        return _GREATEST_CODE[self.encoding]

    @property
    def scale(self) -> float:
        """Return the real value of one code step; a power of two."""
        return _SCALE[self.encoding]

    @property
    def bits(self) -> int:
        """Return the bits of one code."""
        return self.max.bit_length()

    def to_codes(
        self, array: npt.ArrayLike, shape: tuple[int, ...], steps: int, layout: AxisOrder | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return the codes [N, steps, *shape] of an array [N, steps, *shape], or [N, *shape] repeated over the steps.

        layout: which axes the array has instead (see spqc.ir.axis_order).
        Floats are real values in [0, 1], rounded half to even; integers and booleans are codes already.
        Raises InputError for another shape, another kind of number, or a value out of range.
        """
        codes = self._codes(arranged(as_array(array), shape, steps, layout))
        if codes.ndim == 1 + len(shape):
            codes = np.repeat(codes[:, np.newaxis], steps, axis=1)
        elif self.coding == "direct":
            _check_static(codes)
        return np.ascontiguousarray(codes)

    def _codes(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
        if values.dtype.kind in "bui":
            return self._checked_integers(values)
        if values.dtype.kind == "f":
            return self._rounded(values.astype(np.float64))
        raise InputError(
            f"an input of dtype {values.dtype} cannot be read", hint="give floats in [0, 1], or integer codes"
        )

    def _checked_integers(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
        if values.dtype == np.uint8 and self.max == np.iinfo(np.uint8).max:
            return values.astype(np.uint8)  # every value is a code
        integers = values.astype(np.uint8) if values.dtype.kind == "b" else values
        low, high = int(integers.min()), int(integers.max())
        if low < 0 or high > self.max:
            raise InputError(
                f"input codes must lie in 0..{self.max} for '{self.encoding}', found {low}..{high}",
                hint=f"integers are codes; give floats in [0, 1] for real values (code = value / {self.scale:g})",
            )
        return integers.astype(np.uint8)

    def _rounded(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
        if not np.isfinite(values).all():
            raise InputError("the input holds NaN or infinity", hint="every value must lie in [0, 1]")
        low, high = float(values.min()), float(values.max())
        if low < 0.0 or high > 1.0:
            raise InputError(
                f"float inputs must lie in [0, 1], found {low:g}..{high:g}",
                hint=f"divide 8-bit images by 256, or pass integer codes 0..{self.max}",
            )
        if self.encoding == "spikes" and not np.isin(values, (0.0, 1.0)).all():
            raise InputError("spike inputs must be 0 or 1", hint="binarise the frames, or use input='pixels'")
        return np.minimum(np.rint(values / self.scale), self.max).astype(np.uint8)


def _require_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{option} must be one of {', '.join(choices)}, not {value!r}")


def _check_static(codes: npt.NDArray[np.uint8]) -> None:
    if (codes != codes[:, :1]).any():
        raise InputError(
            "the network reads one static frame (coding='direct'), and these frames differ over the steps",
            hint="pass one frame per sample, or create the network with coding='frames'",
        )
