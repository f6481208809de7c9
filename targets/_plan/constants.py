"""Gives every constant its place in the kernels' constant memory, and keeps what was found out about weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InternalError
from spqc.ir import Graph, Value
from spqc.ir.ops import Automaton

from .adder_programs import Programs, slices_of
from .arranged_weights import byte_of
from .arrangements import (
    AdderPrograms,
    Arrangement,
    BitPlanes,
    Codes,
    CodeTables,
    Columns,
    ConstantInputSpikes,
    EventRows,
    PermutedThresholds,
    Placed,
    RowPlaces,
    SparseRows,
    Spread,
    Table,
    Taps,
    Vector,
    Weight,
)
from .constant_input_spikes import SpikesByPlace
from .digits import Digits, decompose, flush_period, in_order
from .extent import check_extent
from .geometry import WeightedSum, padded
from .threshold_tables import Entries

A = TypeVar("A", bound=Arrangement)
_LINE = 64  # bytes: constants begin on a cache line


@dataclass
class Constants:
    """Collects arrangements; the same request gives the same place, so both lowered forms share one memory.

    tile: channels of a tile, as the programs' layout has them.
    """

    graph: Graph
    tile: int
    placed: dict[Arrangement, Placed[Arrangement]] = field(default_factory=dict)
    size: int = 0
    facts: dict[Any, Any] = field(default_factory=dict)

    def cached(self, key: Any, find: Callable[[], Any]) -> Any:
        """Return what `find` finds for this key, called once: a fact about the weights that takes time to find."""
        if key not in self.facts:
            self.facts[key] = find()
        return self.facts[key]

    def place(self, arrangement: A) -> Placed[A]:
        """Return where a constant lies in an arrangement: one place for requests that are equal in every field."""
        if arrangement not in self.placed:
            size = arrangement.bytes
            check_extent(self.size + size, "weights and thresholds")
            self.placed[arrangement] = Placed(arrangement, self.size)
            self.size += -(-size // _LINE) * _LINE
        return Placed(arrangement, self.placed[arrangement].offset)

    def kept_rows(self, conv: WeightedSum, inputs_per_word: int, outputs: int) -> float:
        """Return the share of rows that are not zero: a row is a tile of outputs, a word of channels and a tap."""
        channels = -(-conv.input.channels // inputs_per_word) * inputs_per_word
        shape = (conv.output.channels, conv.kernel, channels, outputs, inputs_per_word)
        return float(self._kept(Weight(conv.weight.name, "int8", *shape)).mean())

    def sparse_rows(self, weight: Weight) -> Placed[SparseRows]:
        """Place the rows of a weight that are not zero, tile after tile."""
        shape = {field_.name: getattr(weight, field_.name) for field_ in fields(weight)}
        return self.place(SparseRows(**shape, rows=int(self._kept(weight).sum())))

    def row_places(self, weight: Weight, strides: tuple[int, int, int]) -> Placed[RowPlaces]:
        """Place where each tile's rows begin, and after these `heads` where each row finds its inputs."""
        kept = self._kept(weight)
        shape = (weight.outputs, weight.kernel, weight.channels, weight.lanes, weight.inputs_per_word, weight.groups)
        return self.place(RowPlaces(weight.name, "int32", *shape, int(kept.sum()), len(kept) + 1, strides))

    def _kept(self, weight: Weight) -> npt.NDArray[np.bool_]:
        """Return which rows of each tile are not zero: [tile, kernel row, kernel column, word of channels]."""
        key = ("rows", weight.name, weight.kernel, weight.channels, weight.lanes, weight.inputs_per_word)
        kept: npt.NDArray[np.bool_] = self.cached(key, lambda: weight.kept(self.graph.data[weight.name]))
        return kept

    def taps(self, conv: WeightedSum) -> Placed[Taps]:
        """Place a depthwise weight, one element a channel and tap."""
        dtype = self.weight_dtype(conv.weight)
        return self.place(Taps(conv.weight.name, dtype, conv.output.channels, conv.kernel, self.tile))

    def bit_planes(self, conv: WeightedSum, words: int) -> Placed[BitPlanes]:
        """Place ternary weights as bits, `words` words of 32 inputs for each output and sign."""
        shape = (conv.output.channels, conv.kernel, conv.input.padded, self.tile)
        return self.place(BitPlanes(conv.weight.name, "int32", *shape, words=words))

    def event_rows(
        self, conv: WeightedSum, *, lanes: int, block: int, bytes_per_weight: int, bias: int
    ) -> Placed[EventRows]:
        """Place a weight as rows of `lanes` outputs, one a tap and input: `block` channels, then a row of zeros."""
        channels = -(-conv.input.channels // block) * block
        shape = (conv.output.channels, conv.kernel, channels, lanes, 1, conv.groups)
        return self.place(EventRows(conv.weight.name, "int16", *shape, block, bytes_per_weight, bias))

    def spread(self, conv: WeightedSum) -> Placed[Spread]:
        """Place a weight by inputs: what one of them adds to the outputs of a tile, tap after tap."""
        dtype, shape = self.weight_dtype(conv.weight), (conv.output.channels, conv.kernel, conv.input.padded, self.tile)
        return self.place(Spread(conv.weight.name, dtype, *shape))

    def digits(self, value: Value) -> tuple[Digits, ...]:
        """Return a weight's digits for look-up tables; empty where it has none."""
        digits: tuple[Digits, ...] = self.cached(("digits", value.name), lambda: decompose(self.graph.data[value.name]))
        return digits

    def flush_periods(self, conv: WeightedSum, rows_inside: bool, inputs: int) -> tuple[int, ...]:
        """Return, for each digit of a weight, how many groups of `inputs` in a row a byte may sum."""
        periods: tuple[int, ...] = self.cached(
            ("flush periods", conv.weight.name, conv.kernel, rows_inside, inputs),
            lambda: self._flush_periods(conv, rows_inside, inputs),
        )
        return periods

    def _flush_periods(self, conv: WeightedSum, rows_inside: bool, inputs: int) -> tuple[int, ...]:
        weight = self.graph.data[conv.weight.name]
        values = (d.way.values(weight, d.part) for d in self.digits(conv.weight))
        return tuple(flush_period(in_order(v, conv.kernel, rows_inside, inputs)) for v in values)

    def codes(self, conv: WeightedSum, part: int, *, outputs: int, rows_inside: bool, inputs: int) -> Placed[Codes]:
        """Place one digit of a weight as codes of neighbours, `inputs` channels a look-up, for blocks of `outputs`."""
        digits = self.digits(conv.weight)[part]
        return self.place(
            Codes(
                conv.weight.name,
                "int16",
                outputs=conv.output.channels,
                kernel=conv.kernel,
                channels=conv.input.channels,
                lanes=self.tile,
                outputs_per_block=outputs,
                part=digits.part,
                way=(digits.way.kind, digits.way.bits, digits.way.count),
                alphabet=digits.alphabet,
                split=digits.split(inputs),
                inputs=inputs,
                rows_inside=rows_inside,
                scale=2**inputs,  # where the table of a code begins
            )
        )

    def code_tables(self, conv: WeightedSum, part: int, inputs: int) -> Placed[CodeTables]:
        """Place the tables that the codes of one digit choose from."""
        digits = self.digits(conv.weight)[part]
        shape = (digits.part, digits.alphabet, digits.split(inputs), inputs)
        return self.place(CodeTables(conv.weight.name, "int8", *shape))

    def programs(self, conv: WeightedSum, block: int, planes: int, step: int) -> Programs:
        """Return the programs of full adders of a weight, for blocks of `block` channels, vectors of `step` words."""
        key = ("programs", conv.weight.name, conv.kernel, block, planes, step, conv.bits)
        programs: Programs = self.cached(key, lambda: self._programs(conv, block, planes, step))
        return programs

    def _programs(self, conv: WeightedSum, block: int, planes: int, step: int) -> Programs:
        name, weight = conv.weight.name, self.graph.data[conv.weight.name]
        rows = self.cached(("rows of programs", name, conv.kernel), lambda: self._whole_tiles(weight, conv.kernel))
        levels = self.cached(
            ("slices", name, planes, conv.bits), lambda: slices_of(weight, planes, 16 if conv.bits <= 16 else 32)
        )
        return Programs(rows, block, planes, levels, step)

    def _whole_tiles(self, weight: npt.NDArray[np.int64], kernel: tuple[int, int]) -> npt.NDArray[np.int64]:
        """Return OxCxKxL weights with outputs of zeros up to whole tiles."""
        rows = weight.reshape(len(weight), -1, *kernel)
        return np.pad(rows, ((0, padded(len(rows), self.tile) - len(rows)), (0, 0), (0, 0), (0, 0)))

    def adder_programs(self, conv: WeightedSum, programs: Programs) -> Placed[AdderPrograms]:
        """Place programs, with the tables before them."""
        shape = (programs.group, programs.planes, programs.levels, programs.step, programs.words)
        return self.place(AdderPrograms(conv.weight.name, "int16", conv.kernel, self.tile, *shape))

    def columns(self, conv: WeightedSum, words: int, times: int = 1) -> Placed[Columns]:
        """Place which pixels of the output see a kernel column within the map: `words` words of bits each, repeated."""
        shape = (conv.output.width, conv.output.height, conv.input.width, conv.stride[1], conv.padding[1])
        return self.place(Columns(conv.weight.name, "int64", conv.kernel[1], *shape, words, times))

    def table(self, value: Value, dtype: str, fill: int) -> Placed[Table]:
        """Place thresholds by row and channel; channels behind the last have `fill`."""
        rows, steps, channels = value.type.shape
        return self.place(Table(value.name, dtype, rows * steps, channels, self.tile, fill))

    def thresholds(self, op: Automaton, dtype: str, channels_per_vector: int) -> Placed[PermutedThresholds]:
        """Place the thresholds of an automaton as vectors to permute, one a threshold for some channels."""
        entries, channels = Entries.of(op), op.out.type.shape[0]
        shape = (channels, padded(channels, self.tile), channels_per_vector, len(op.following) - 1)
        return self.place(
            PermutedThresholds(op.inputs[2].name, dtype, *shape, entries.rows, entries.carry, entries.closed)
        )

    def constant_input_spikes(self, op: Automaton, spikes: SpikesByPlace, steps: int) -> Placed[ConstantInputSpikes]:
        """Place the spikes of all steps of an automaton whose sum is constant in time."""
        shape = (len(spikes.first), steps, spikes.count, self.tile)
        return self.place(ConstantInputSpikes(op.inputs[2].name, "int32", *shape, op.following, op.fires, op.carry))

    def vector(self, value: Value, dtype: str) -> Placed[Vector]:
        """Place the elements of a constant, one a channel."""
        return self.place(Vector(value.name, dtype, value.type.size, self.tile))

    def largest_sum(self, conv: WeightedSum, inputs: int) -> int:
        """Return the largest sum that the weights can give over inputs from 0 to `inputs`."""
        weight = self.graph.data[conv.weight.name]
        largest: int = self.cached(
            ("largest sum", conv.weight.name),
            lambda: int(np.maximum(weight, 0).reshape(len(weight), -1).sum(axis=1).max(initial=0)),
        )
        return largest * inputs

    def weight_dtype(self, value: Value) -> str:
        """Return the narrowest integer that holds every weight."""
        array = self.graph.data[value.name]
        top = max(int(np.max(array, initial=0)), -1 - int(np.min(array, initial=0)))
        for dtype, bits in (("int8", 7), ("int16", 15), ("int32", 31)):
            if top < 2**bits:
                return dtype
        raise InternalError(f"weight {value} is wider than 32 bits")

    def has_two_bytes(self, value: Value) -> bool:
        """Return whether every weight is 256 * high + low of two signed bytes."""
        high = byte_of(self.graph.data[value.name], 0)
        return bool((np.abs(high) < 128).all())
