"""What bit slices read: programs of full adders, and which pixels see a kernel column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .adder_programs import Programs
from .arrangement import Arrangement, Integers, Laid, pad


@dataclass(frozen=True)
class AdderPrograms(Arrangement):
    """Programs of full adders for blocks of `block` channels, `planes` bits of an input, `levels` slices.

    step: words of a vector. words: how many words of 64 bits the programs take, tables included (adder_programs).
    """

    kernel: tuple[int, int]
    lanes: int
    block: int
    planes: int
    levels: int
    step: int
    words: int
    form: ClassVar[str] = "programs"

    @property
    def count(self) -> int:
        return self.words * 4

    def layout(self, array: Integers) -> Laid:
        weight = pad(array.reshape(len(array), -1, *self.kernel), 0, self.lanes)
        return Programs(weight, self.block, self.planes, self.levels, self.step).write().view(self.dtype)


@dataclass(frozen=True)
class Columns(Arrangement):
    """Bits of output pixels for which a kernel column lies within the map: [kernel column][word], each word `times`.

    width, height: of the output. source: width of the input. stride, padding: along a row. words: of 64 bits a column.
    """

    columns: int
    width: int
    height: int
    source: int
    stride: int
    padding: int
    words: int
    times: int
    form: ClassVar[str] = "columns"

    @property
    def count(self) -> int:
        return self.columns * self.words * self.times

    def layout(self, array: Integers) -> Laid:
        x = np.arange(self.width)[None] * self.stride + np.arange(self.columns)[:, None] - self.padding
        inside = np.tile((x >= 0) & (x < self.source), (1, self.height))
        bits = np.zeros((self.columns, self.words * 64), np.bool_)
        bits[:, : inside.shape[1]] = inside
        words = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
        return np.repeat(words, self.times, axis=1).view(self.dtype)
