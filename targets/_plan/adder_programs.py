"""Weights as programs of full adders: for every output, which bit vectors are added at which power of two.

A weight is a sum of digits +-2^e; its input's bit vectors are added at level e. Eight inputs of a level are a block:
the adders leave what they sum in the level's slice and the two above, and one carry, which is an input three levels up.
A run is the blocks of one level and sign. Only numpy: the compiler counts blocks with it, the runtime writes programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Digit = tuple[int, bool, npt.NDArray[np.bool_]]
"""Exponent, whether it is subtracted, and which weights have it."""

BLOCK = 8  # inputs of one turn of the adders
CARRIED = 3  # a block's carry goes this many levels up
ZERO, ONES, FIRST = 0, 1, 2  # vectors before the inputs: a block's empty places are zeros, or ones where it subtracts
SLACK = 2  # slices above the highest that a block at the highest level touches
WORD = 4  # numbers of 16 bits in a word


def digits(weight: Integers) -> list[Digit]:
    """Return the canonical signed digits of integers: no two neighbouring digits of one are set."""
    signed_digits: list[Digit] = []
    exponent = 0
    top = int(np.abs(weight).max(initial=0))
    weight = weight.astype(np.int16 if top < 2**13 else np.int64)
    while weight.any():
        digit = np.where(weight & 1, 2 - (weight & 3), 0)
        signed_digits += [
            (exponent, minus, digit == sign) for sign, minus in ((-1, True), (1, False)) if (digit == sign).any()
        ]
        weight = (weight - digit) >> 1
        exponent += 1
    return signed_digits


def slices_of(weight: Integers, planes: int, bits: int) -> int:
    """Return how many slices count an output: by the bound of the actual digits, or fewer where sums wrap at `bits`."""
    counts = np.zeros(len(weight), np.int64)
    for exponent, _, on in digits(weight):
        counts += np.count_nonzero(on.reshape(len(on), -1), axis=1) << exponent
    most = int(counts.max(initial=0)) * (2**planes - 1)
    return max(1, min(int(most).bit_length(), bits))


@dataclass(frozen=True)
class Programs:
    """The programs of all outputs for each block of `group` channels, over `planes` bits of each input.

    Input `(plane * taps + tap) * group + channel` of a block is vector FIRST on. `levels` slices count; digits above
    wrap away. Before all programs stand the first word of each, [channel block][output], and what each output counts
    too much. A program is a header word (runs that subtract, runs that add) and, run after run, a word (slice, first
    vector of the carries, blocks) and two words a block.
    """

    weight: Integers  # OxCxKxL, outputs padded
    group: int
    planes: int
    levels: int
    step: int  # words of a vector: programs name vectors by their first word

    @property
    def taps(self) -> int:
        rows, columns = self.weight.shape[2:]
        return int(rows) * int(columns)

    @property
    def inputs(self) -> int:
        """Vectors of a block of channels."""
        return self.planes * self.taps * self.group

    @property
    def channel_blocks(self) -> int:
        return -(-int(self.weight.shape[1]) // self.group)

    def _digits(self, block: int) -> list[Digit]:
        """Return the digits of a block of channels: those of all take much memory."""
        return digits(self.weight[:, block * self.group : (block + 1) * self.group])

    @cached_property
    def lists(self) -> Integers:
        """How many inputs of their own the lists have: [channel block][output][subtract, add][level]."""
        counts = np.zeros((self.channel_blocks, len(self.weight), 2, self.levels), np.int64)
        for block in range(self.channel_blocks):
            for exponent, minus, on in self._digits(block):
                count = np.count_nonzero(on.reshape(len(on), -1), axis=1)
                for level in range(exponent, min(exponent + self.planes, self.levels)):
                    counts[block, :, 0 if minus else 1, level] += count
        return counts

    @property
    def subtracted(self) -> Integers:
        """What each output counts too much, because it adds the complement of what it should subtract."""
        return np.asarray((self.lists[:, :, 0] << np.arange(self.levels)).sum(axis=(0, 2)))

    @cached_property
    def blocks(self) -> Integers:
        """How many blocks each run has, those with carries included: as `lists`."""
        blocks = np.zeros_like(self.lists)
        for level in range(self.levels):
            carried = blocks[..., level - CARRIED].sum(axis=-1) if level >= CARRIED else 0
            blocks[:, :, 0, level] = -(-self.lists[:, :, 0, level] // BLOCK)
            blocks[:, :, 1, level] = -(-(self.lists[:, :, 1, level] + carried) // BLOCK)
        return blocks

    @property
    def carries(self) -> int:
        """Vectors that hold the carries of one output."""
        return max(map(int, self.blocks.sum(axis=(2, 3)).ravel()))

    @cached_property
    def sizes(self) -> Integers:
        """Words of each program: [channel block][output]."""
        runs = (self.blocks > 0).sum(axis=(2, 3))
        sizes: Integers = 1 + runs + self.blocks.sum(axis=(2, 3)) * (BLOCK // WORD)
        return sizes

    @cached_property
    def words(self) -> int:
        return self.sizes.size + len(self.weight) + int(np.sum(self.sizes))

    @cached_property
    def starts(self) -> Integers:
        """The first word of each program: [channel block][output]."""
        ends = np.cumsum(self.sizes).reshape(self.sizes.shape)
        return np.asarray(ends - self.sizes) + self.sizes.size + len(self.weight)

    def write(self) -> npt.NDArray[np.uint16]:
        """Return all programs, WORD numbers a word."""
        out = np.zeros(self.words * WORD, np.uint16)
        tables = np.concatenate([self.starts.ravel(), self.subtracted])
        out[: tables.size * WORD] = tables.astype("<i8").view(np.uint16)
        for block in range(self.channel_blocks):
            self._write(out, block)
        return out

    def _write(self, out: npt.NDArray[np.uint16], block: int) -> None:
        blocks = self.blocks[block]
        run = (blocks > 0) * WORD + blocks * BLOCK
        flat = np.cumsum(run.reshape(len(run), -1), axis=1).reshape(run.shape)
        start = self.starts[block][:, None, None] * WORD + WORD + flat - run
        count = np.cumsum(blocks.reshape(len(run), -1), axis=1).reshape(run.shape)
        carry = FIRST + self.inputs + count - blocks
        self._headers(out, block, start, carry)
        for minus in (True, False):
            self._fill(out, blocks[:, 0 if minus else 1], start[:, 0 if minus else 1], ONES if minus else ZERO)
        placed = np.zeros_like(blocks)
        for exponent, minus, on in self._digits(block):
            self._place(out, exponent, 0 if minus else 1, on, start, placed)
        self._place_carries(out, block, start, carry)

    def _headers(self, out: npt.NDArray[np.uint16], block: int, start: Integers, carry: Integers) -> None:
        blocks = self.blocks[block]
        for side in range(2):
            out[self.starts[block] * WORD + side] = (blocks[:, side] > 0).sum(axis=1)
        run = np.nonzero(blocks)
        out[start[run]] = run[-1] * self.step
        out[start[run] + 1] = carry[run] * self.step
        out[start[run] + 2] = blocks[run]

    def _fill(self, out: npt.NDArray[np.uint16], blocks: Integers, start: Integers, empty: int) -> None:
        """Write the vector of empty places to all places of runs."""
        out[_each(start + WORD, blocks * BLOCK)] = empty * self.step

    def _place(
        self,
        out: npt.NDArray[np.uint16],
        exponent: int,
        side: int,
        on: npt.NDArray[np.bool_],
        start: Integers,
        placed: Integers,
    ) -> None:
        """Write the inputs of one digit: for each plane one level higher."""
        output, channel, row, column = np.nonzero(on)
        first = np.searchsorted(output, np.arange(len(on)))
        rank = np.arange(len(output)) - first[output]
        tap = row * self.weight.shape[3] + column
        for plane in range(self.planes):
            level = exponent + plane
            if level >= self.levels:
                return
            at = start[output, side, level] + WORD + placed[output, side, level] + rank
            out[at] = (FIRST + (plane * self.taps + tap) * self.group + channel) * self.step
            placed[:, side, level] += np.count_nonzero(on.reshape(len(on), -1), axis=1)

    def _place_carries(self, out: npt.NDArray[np.uint16], block: int, start: Integers, carry: Integers) -> None:
        """Write the carries of both signs' runs behind what the runs three levels up add themselves."""
        blocks, own = self.blocks[block], self.lists[block]
        for level in range(self.levels - CARRIED):
            at = start[:, 1, level + CARRIED] + WORD + own[:, 1, level + CARRIED]
            for side in range(2):
                count = blocks[:, side, level]
                out[_each(at, count)] = _each(carry[:, side, level], count) * self.step
                at = at + count


def _each(first: Integers, count: Integers) -> Integers:
    """Return first, first + 1, ... of `count` numbers each, one after the other."""
    first, count = first.ravel(), count.ravel()
    before = np.cumsum(count) - count
    numbers: Integers = np.repeat(first - before, count) + np.arange(int(count.sum()))
    return numbers
