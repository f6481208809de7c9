"""Weights in tiles of outputs: whole, as shifts, the rows that are not zero, tap by tap, or input by input."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from .arrangement import Arrangement, Integers, Laid, pad
from .geometry import padded


@dataclass(frozen=True)
class Tiles(Arrangement):
    """What weights in tiles share: OxCxKxL as [tile][kernel row][kernel column][channel group][lane][input].

    outputs: O. kernel: (K, L). channels: of the input, padded. groups: of the convolution. inputs_per_word: channels
    that lie side by side for one output. lanes: outputs of a tile.
    """

    outputs: int
    kernel: tuple[int, int]
    channels: int
    lanes: int
    inputs_per_word: int = 1
    groups: int = 1

    @property
    def count(self) -> int:
        return padded(self.outputs, self.lanes) * self.channels * prod(self.kernel)

    def slabs(self, array: Integers) -> list[Integers]:
        if self.groups > 1:
            return [array]
        return [array[first : first + self.lanes] for first in range(0, len(array), self.lanes)]

    def tiles(self, array: Integers) -> Integers:
        """Return [tile][kernel row][kernel column][channel group][lane][input]."""
        weight = array.reshape(array.shape[0], -1, *self.kernel)
        if self.groups > 1:
            weight = _without_groups(weight, self.groups)
        extra = self.channels - weight.shape[1]
        weight = pad(np.pad(weight, ((0, 0), (0, extra), (0, 0), (0, 0))), 0, self.lanes)
        shape = (-1, self.lanes, self.channels // self.inputs_per_word, self.inputs_per_word, *self.kernel)
        return weight.reshape(shape).transpose(0, 4, 5, 2, 1, 3)

    def kept(self, array: Integers) -> npt.NDArray[np.bool_]:
        """Return which rows are not zero: [tile, kernel row, kernel column, channel group]."""
        return np.asarray((self.tiles(array) != 0).any(axis=(4, 5)))


@dataclass(frozen=True)
class Weight(Tiles):
    """A weight in tiles. byte, bytes_per_weight: with 2 of these, only the high (0) or low (1) byte of each weight.

    shifts: each weight as sign bit 7, non-zero bit 6 and shift.
    """

    byte: int = 0
    bytes_per_weight: int = 1
    shifts: bool = False
    form: ClassVar[str] = "weight"

    def layout(self, array: Integers) -> Laid:
        tiles = self.tiles(array if self.bytes_per_weight == 1 else byte_of(array, self.byte))
        return shift_codes(tiles) if self.shifts else tiles


@dataclass(frozen=True)
class SparseRows(Weight):
    """The rows of a weight in tiles that are not zero, tile after tile; `rows`: how many these are."""

    rows: int = 0
    form: ClassVar[str] = "sparse"

    @property
    def count(self) -> int:
        return self.rows * self.lanes * self.inputs_per_word

    def slabs(self, array: Integers) -> list[Integers]:
        return [array]

    def layout(self, array: Integers) -> Laid:
        tiles = self.tiles(array if self.bytes_per_weight == 1 else byte_of(array, self.byte))
        rows = tiles[self.kept(array)]
        return shift_codes(rows) if self.shifts else rows


@dataclass(frozen=True)
class RowPlaces(Tiles):
    """Where each tile's rows that are not zero begin (`heads` numbers), then where each row finds its inputs.

    strides: rows of a layer of the kernel, and the elements from one layer and from one line of the input to the next.
    """

    rows: int = 0
    heads: int = 0
    strides: tuple[int, int, int] = (1, 0, 0)
    form: ClassVar[str] = "places"

    @property
    def count(self) -> int:
        return self.heads + self.rows

    def slabs(self, array: Integers) -> list[Integers]:
        return [array]

    def layout(self, array: Integers) -> Laid:
        kept = self.kept(array)
        counts = kept.reshape(len(kept), -1).sum(axis=1)
        _, row, column, channels = np.nonzero(kept)
        height, layer, line = self.strides
        inputs = row // height * layer + row % height * line + column * kept.shape[3] + channels
        return np.concatenate([[0], np.cumsum(counts), inputs])


@dataclass(frozen=True)
class Taps(Arrangement):
    """A depthwise weight Cx1xKxL as [tile][kernel row][kernel column][lane]."""

    outputs: int
    kernel: tuple[int, int]
    lanes: int
    form: ClassVar[str] = "taps"

    @property
    def count(self) -> int:
        return padded(self.outputs, self.lanes) * prod(self.kernel)

    def layout(self, array: Integers) -> Laid:
        rows = pad(array.reshape(len(array), -1), 0, self.lanes)
        return rows.reshape(-1, self.lanes, rows.shape[1]).transpose(0, 2, 1)


@dataclass(frozen=True)
class Spread(Tiles):
    """What one input adds to the outputs of a tile: [tile][channel][kernel row][kernel column][lane]."""

    form: ClassVar[str] = "spread"

    def layout(self, array: Integers) -> Laid:
        return self.tiles(array)[..., 0].transpose(0, 3, 1, 2, 4)


@dataclass(frozen=True)
class BitPlanes(Tiles):
    """Ternary weights as bits, [tile][word][plane][lane], 32 inputs a word: those added, then those subtracted."""

    words: int = 0
    form: ClassVar[str] = "bits"

    @property
    def count(self) -> int:
        return padded(self.outputs, self.lanes) * self.words * 2

    def layout(self, array: Integers) -> Laid:
        rows = self.tiles(array)[..., 0]
        inputs = pad(rows.reshape(len(rows), -1, self.lanes), 1, 32)
        planes = np.stack([inputs > 0, inputs < 0], axis=1).reshape(len(rows), 2, -1, 32, self.lanes)
        packed = np.packbits(planes.transpose(0, 2, 1, 4, 3), axis=-1, bitorder="little")
        return np.ascontiguousarray(packed).view("<u4")[..., 0].view("<i4")


@dataclass(frozen=True)
class EventRows(Tiles):
    """Rows of outputs to add for an event: [tile][block][kernel row][kernel column][channel, then zeros][words].

    Two outputs share a word of 16 bits, 256 * high + low + bias. block: channels of a block. bytes_per_weight: with 2,
    low bytes' words, then high bytes'.
    """

    block: int = 1
    bytes_per_weight: int = 1
    bias: int = 0
    form: ClassVar[str] = "events"

    @property
    def count(self) -> int:
        inputs = self.channels // self.block * (self.block + 1)
        return padded(self.outputs, self.lanes) // 2 * self.bytes_per_weight * prod(self.kernel) * inputs

    def layout(self, array: Integers) -> Laid:
        parts = [array] if self.bytes_per_weight == 1 else [byte_of(array, 1), byte_of(array, 0)]
        return np.concatenate([self._words(self._blocked(part)) for part in parts], axis=-1)

    def _blocked(self, array: Integers) -> Integers:
        """Return [tile][block][kernel row][kernel column][channel, then zeros][lane]."""
        rows = self.tiles(array)[..., 0]
        blocks = rows.reshape(*rows.shape[:3], -1, self.block, self.lanes).transpose(0, 3, 1, 2, 4, 5)
        return np.pad(blocks, [(0, 0)] * 4 + [(0, 1), (0, 0)])

    def _words(self, rows: Integers) -> Integers:
        """Return [..., words] of [..., lanes]: word j of a vector holds its outputs j and j + half."""
        half = min(self.lanes // 2, 32)
        halves = rows.reshape(*rows.shape[:-1], -1, 2, half)
        words: Integers = 256 * halves[..., 1, :] + halves[..., 0, :] + self.bias
        return words.reshape(*rows.shape[:-1], -1)


def byte_of(weight: Integers, byte: int) -> Integers:
    """Return the high (0) or low (1) signed byte of 16-bit weights: w = 256 * high + low."""
    weight = weight.astype(np.int64)
    high = (weight + 128) >> 8
    return high if byte == 0 else weight - 256 * high


def shift_codes(weight: Integers) -> Integers:
    """Return sign in bit 7, non-zero in bit 6, shift in the bits below: as signed bytes."""
    magnitude = np.abs(weight)
    shift = np.log2(np.maximum(magnitude, 1)).astype(np.int64)
    codes = np.where(magnitude > 0, 64 | shift, 0)
    return np.where(weight < 0, codes - 128, codes)


def _without_groups(weight: Integers, groups: int) -> Integers:
    """Return a grouped kernel as a dense one, zero between groups."""
    out, per_group = weight.shape[:2]
    dense = np.zeros((out, per_group * groups, *weight.shape[2:]), weight.dtype)
    for o in range(out):
        first = o // (out // groups) * per_group
        dense[o, first : first + per_group] = weight[o]
    return dense
