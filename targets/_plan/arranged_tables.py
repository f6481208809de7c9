"""Tables: thresholds and vectors by channel, spikes by the places of a constant sum, weights as codes of look-ups."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from spqc.ir.ops import Automaton

from .arrangement import SIZES, Arrangement, Integers, Laid, pad
from .constant_input_spikes import find_spikes
from .digits import DigitSplit, code_tables, codes_of, in_order
from .geometry import padded
from .threshold_tables import Entries, threshold_vectors

_VECTOR = 64  # bytes that thresholds to permute take


@dataclass(frozen=True)
class Table(Arrangement):
    """Thresholds RxKxC as [tile][row * k][lane]; channels behind the last have `fill`."""

    rows: int
    channels: int
    lanes: int
    fill: int
    form: ClassVar[str] = "table"

    @property
    def count(self) -> int:
        return self.rows * padded(self.channels, self.lanes)

    def layout(self, array: Integers) -> Laid:
        rows, steps, channels = array.shape
        filled = pad(array.reshape(rows * steps, channels), 1, self.lanes, self.fill)
        return filled.reshape(rows * steps, -1, self.lanes).transpose(1, 0, 2)


@dataclass(frozen=True)
class Vector(Arrangement):
    """The elements of a constant, with zeros up to whole tiles."""

    size: int
    lanes: int
    form: ClassVar[str] = "vector"

    @property
    def count(self) -> int:
        return padded(self.size, self.lanes)

    def layout(self, array: Integers) -> Laid:
        return pad(array.ravel(), 0, self.lanes)


@dataclass(frozen=True)
class PermutedThresholds(Arrangement):
    """Thresholds to permute, a vector of 64 bytes for `channels_per_vector` of `channels` outputs (threshold_tables).

    entries, carry, closed: of the automaton. padded_channels: whole tiles of outputs.
    """

    channels: int
    padded_channels: int
    channels_per_vector: int
    thresholds: int
    entries: tuple[int, ...]
    carry: tuple[int, ...]
    closed: tuple[int, ...]
    form: ClassVar[str] = "permuted_thresholds"

    @property
    def count(self) -> int:
        sides = 2 if Entries(self.entries, self.carry, self.closed).gated else 1
        vectors = self.padded_channels // self.channels_per_vector * self.thresholds * sides
        return vectors * _VECTOR // SIZES[self.dtype]

    def layout(self, array: Integers) -> Laid:
        entries = Entries(self.entries, self.carry, self.closed)
        shape = (self.channels, self.padded_channels, self.channels_per_vector)
        return threshold_vectors(entries, array, shape, self.dtype)


@dataclass(frozen=True)
class ConstantInputSpikes(Arrangement):
    """Spikes of all `steps` by the places of a constant sum (constant_input_spikes), `places` of them a channel.

    entries: next states of the automaton. fires: the outcome it fires from. carry: what its states carry.
    """

    channels: int
    steps: int
    places: int
    lanes: int
    entries: tuple[int, ...]
    fires: int
    carry: tuple[int, ...]
    form: ClassVar[str] = "constant_input_spikes"

    @property
    def count(self) -> int:
        return (1 + 2 * self.places) * padded(self.channels, self.lanes)

    def layout(self, array: Integers) -> Laid:
        op = Automaton((), (), "", following=self.entries, fires=self.fires, carry=self.carry)
        return find_spikes(op, array, self.channels, self.steps).vectors(self.lanes)


@dataclass(frozen=True)
class Codes(Arrangement):
    """Digit `part` of weights as codes: [tile of `outputs_per_block`][K][output][code], K as `in_order` says.

    outputs: padded. split: neighbours that share a code. inputs: channels of a look-up. scale: what a code counts in.
    """

    outputs: int
    kernel: tuple[int, int]
    channels: int
    lanes: int
    outputs_per_block: int
    part: int
    way: tuple[str, int, int]
    alphabet: tuple[int, ...]
    split: int
    inputs: int
    rows_inside: bool
    scale: int
    form: ClassVar[str] = "codes"

    @property
    def count(self) -> int:
        groups = -(-self.channels // self.inputs) * prod(self.kernel)
        return padded(self.outputs, self.lanes) * groups * (self.inputs // self.split)

    def slabs(self, array: Integers) -> list[Integers]:
        return [array[first : first + self.lanes] for first in range(0, len(array), self.lanes)]

    def layout(self, array: Integers) -> Laid:
        values = pad(DigitSplit(*self.way).values(array, self.part), 0, self.lanes)
        groups = in_order(values, self.kernel, self.rows_inside, self.inputs)
        codes = codes_of(groups, self.alphabet, self.split)
        blocks = codes.reshape(-1, self.outputs_per_block, *codes.shape[1:])
        return blocks.transpose(0, 2, 1, 3) * self.scale


@dataclass(frozen=True)
class CodeTables(Arrangement):
    """What each code of digit `part` adds to a look-up table: [code's place][code][2**inputs]."""

    part: int
    alphabet: tuple[int, ...]
    split: int
    inputs: int
    form: ClassVar[str] = "code_tables"

    @property
    def count(self) -> int:
        return self.inputs // self.split * int(len(self.alphabet) ** self.split) << self.inputs

    def layout(self, array: Integers) -> Laid:
        return code_tables(self.alphabet, self.split, self.inputs)
