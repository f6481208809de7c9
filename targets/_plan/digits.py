"""Weights as digits for look-up tables: small alphabets, codes of a few neighbours, and proofs of 8-bit ranges.

Only numpy: the compiler proves ranges with it, the runtime arranges codes and tables when it loads an artifact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

GROUP = 6  # at most so many input channels make an index: a table of 64 entries is one vector of 512 bits
LETTERS = 16  # of an alphabet: the codes of two neighbours fit a byte
_TOP = 127  # what an accumulator of one byte holds


@dataclass(frozen=True)
class DigitSplit:
    """How weights split into digits: `whole`, by `exponents` (`bits` of them to a digit), or balanced in a `base`."""

    kind: str = "whole"
    bits: int = 0
    count: int = 1

    def values(self, weight: Integers, part: int) -> Integers:
        """Return one digit of each weight: weight = the sum of values << shift over the parts."""
        if self.kind == "whole":
            return weight
        if self.kind == "exponents":
            return _exponents(weight, part * self.bits, self.bits)
        for _ in range(part):
            weight = (weight - _lowest(weight, self.bits)) >> self.bits
        return weight if part == self.count - 1 else _lowest(weight, self.bits)


@dataclass(frozen=True)
class Digits:
    """One addend of the weights, `values << shift`; `alphabet` is 0 and every value, ascending."""

    way: DigitSplit
    part: int
    alphabet: tuple[int, ...]

    @property
    def shift(self) -> int:
        return self.part * self.way.bits

    def split(self, group: int = GROUP) -> int:
        """Return how many neighbouring channels share one code: all of a group where it has at most 1024 tables.

        Three letters need 729 tables of 64 bytes: they fill a first-level cache, and are still faster than to add two.
        """
        letters = len(self.alphabet)
        if letters**group <= 1024:
            return group
        return max(n for n in range(2, group) if group % n == 0 and letters**n <= 256)


def decompose(weight: Integers) -> tuple[Digits, ...]:
    """Return the fewest digits whose alphabets and tables fit bytes; empty where no way that is tried does."""
    distinct = np.unique(weight)  # a way splits each weight by itself: equal ones alike
    for way in _ways(distinct):
        digits = [Digits(way, part, _alphabet(way.values(distinct, part))) for part in range(way.count)]
        kept = tuple(d for d in digits if len(d.alphabet) > 1) or tuple(digits[:1])
        if all(len(d.alphabet) <= LETTERS and GROUP * max(map(abs, d.alphabet)) <= _TOP for d in kept):
            return kept
    return ()


def _ways(weight: Integers) -> Iterator[DigitSplit]:
    yield DigitSplit()
    magnitude = np.abs(weight)
    if (magnitude & (magnitude - 1) == 0).all():
        top = int(magnitude.max(initial=1)).bit_length()
        yield from (DigitSplit("exponents", bits, -(-top // bits)) for bits in (4, 3))
    yield from (DigitSplit("base", bits, count) for bits, count in ((4, 2), (3, 2), (3, 3)))


def _alphabet(values: Integers) -> tuple[int, ...]:
    return tuple(int(v) for v in np.union1d(values, [0]))


def _exponents(weight: Integers, first: int, count: int) -> Integers:
    """Return the weights whose exponents are first .. first + count - 1, shifted down; 0 for the others."""
    magnitude = np.abs(weight)
    inside = (magnitude >> first > 0) & (magnitude >> (first + count) == 0)
    return np.where(inside, np.sign(weight) * (magnitude >> first), 0)


def _lowest(weight: Integers, bits: int) -> Integers:
    """Return the lowest digit in base 2**bits, from -(base / 2 - 1) to base / 2."""
    half = 2 ** (bits - 1)
    lowest: Integers = (weight + half - 1) % (2 * half) - half + 1
    return lowest


def flush_period(groups: Integers) -> int:
    """Return how many groups in a row, wherever they start, an int8 accumulator may sum: `groups` is [O, K, group].

    Every input may be 1 and every other 0, so the positive and the negative weights are bounded apart.
    """
    positive = np.cumsum(np.maximum(groups, 0).sum(axis=2), axis=1)
    negative = np.cumsum(np.maximum(-groups, 0).sum(axis=2), axis=1)
    least, most = 1, groups.shape[1]
    while least < most:
        middle = (least + most + 1) // 2
        if max(_window(positive, middle), _window(negative, middle)) <= _TOP:
            least = middle
        else:
            most = middle - 1
    return least


def _window(sums: Integers, length: int) -> int:
    """Return the largest sum of `length` groups in a row, from running sums."""
    before = np.pad(sums, ((0, 0), (1, 0)))
    return int((before[:, length:] - before[:, :-length]).max(initial=0))


def codes_of(groups: Integers, alphabet: tuple[int, ...], split: int) -> Integers:
    """Return [..., group / split] codes of [..., group] digits: the digits' places in the alphabet, as one number."""
    places = np.searchsorted(np.asarray(alphabet), groups)
    weights = len(alphabet) ** np.arange(split)
    codes: Integers = (places.reshape(*groups.shape[:-1], -1, split) * weights).sum(axis=-1)
    return codes


def code_tables(alphabet: tuple[int, ...], split: int, group: int = GROUP) -> Integers:
    """Return [group / split][code][2**group]: what each code's channels add to each entry of a table."""
    count = len(alphabet) ** split
    letters = np.array([digits[::-1] for digits in product(alphabet, repeat=split)]).reshape(count, split)
    index = np.arange(2**group)
    bits = (index[:, None] >> np.arange(group)) & 1  # entry, channel
    return np.stack([letters @ bits[:, i * split : (i + 1) * split].T for i in range(group // split)])


def in_order(weight: Integers, kernel: tuple[int, int], rows_inside: bool, group: int = GROUP) -> Integers:
    """Return the digits of OxCxKxL as [O][K][group] in the order of the kernel's loops.

    `rows_inside`: [kernel column][channel group][kernel row], else [kernel row][kernel column][channel group].
    """
    whole = weight.reshape(weight.shape[0], -1, *kernel)
    extra = -whole.shape[1] % group
    whole = np.pad(whole, ((0, 0), (0, extra), (0, 0), (0, 0)))
    split = whole.reshape(whole.shape[0], -1, group, *kernel)  # o, conv, i, ky, kx
    ordered = split.transpose(0, 4, 1, 3, 2) if rows_inside else split.transpose(0, 3, 4, 1, 2)
    return np.ascontiguousarray(ordered).reshape(whole.shape[0], -1, group)
