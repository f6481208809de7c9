"""Assigns every constant its place and arrangement in the kernels' constant memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InternalError
from spqc.ir import Graph, Value
from spqc.ir.ops import Automaton

from .adder_programs import Programs, slices_of
from .arrange import Arrangement, byte_of, rows_kept
from .digits import Digits, decompose, flush_period, in_order
from .extent import check_extent
from .geometry import WeightedSum, padded
from .threshold_tables import Entries

_SIZES = {"uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8}


@dataclass
class Constants:
    """Collects arrangements; the same request gives the same place, so both lowered forms share one memory."""

    graph: Graph
    placed: dict[Arrangement, Arrangement] = field(default_factory=dict)  # by request: the same, at offset 0
    size: int = 0
    facts: dict[Any, Any] = field(default_factory=dict)

    def remember(self, key: Any, find: Callable[[], Any]) -> Any:
        """Return what `find` found for this key: a fact about the weights that takes time to find."""
        if key not in self.facts:
            self.facts[key] = find()
        return self.facts[key]

    def weight(
        self,
        g: WeightedSum,
        dtype: str,
        *,
        group: int,
        lanes: int,
        channels: int,
        shifts: bool = False,
        part: int = 0,
        parts: int = 1,
    ) -> Arrangement:
        """Place a weight for tiles of `lanes` outputs over `channels` padded inputs, `group` of them side by side.

        With two `parts` only the high (0) or low (1) bytes of 16-bit weights.
        """
        out = -(-g.output.channels // lanes) * lanes
        count = out * channels * g.kernel[0] * g.kernel[1]
        form = "shifts" if shifts else "weight"
        shape = {"kernel": g.kernel, "channels": g.input.channels, "padded_channels": channels, "groups": g.groups}
        return self.place(g.weight.name, form, dtype, count, **shape, group=group, lanes=lanes, part=part, parts=parts)

    def kept_rows(self, g: WeightedSum, group: int, outputs: int) -> float:
        """Return the share of rows (`outputs` outputs, `group` channels, one place of the window) that are not zero."""
        return float(self._rows(g, group, outputs, -(-g.input.channels // group) * group).mean())

    def sparse_rows(
        self, g: WeightedSum, dtype: str, *, group: int, lanes: int, channels: int, shifts: bool, part: int, parts: int
    ) -> Arrangement:
        """Place the rows of `weight` that are not zero, tile after tile."""
        return self.place(
            g.weight.name,
            "sparse",
            dtype,
            int(self._rows(g, group, lanes, channels).sum()) * lanes * group,
            kernel=g.kernel,
            padded_channels=channels,
            group=group,
            lanes=lanes,
            part=part,
            parts=parts,
            fill=int(shifts),
        )

    def row_places(
        self, g: WeightedSum, group: int, outputs: int, channels: int, strides: tuple[int, int, int]
    ) -> Arrangement:
        """Place where each tile's rows begin, and after `channels` such numbers where each row finds its inputs."""
        rows = self._rows(g, group, outputs, channels)
        heads = len(rows) + 1
        return self.place(
            g.weight.name,
            "places",
            "int32",
            heads + int(rows.sum()),
            kernel=g.kernel,
            padded_channels=channels,
            channels=heads,
            group=group,
            lanes=outputs,
            strides=strides,
        )

    def _rows(self, g: WeightedSum, group: int, outputs: int, channels: int) -> npt.NDArray[np.bool_]:
        """Return which rows of each tile are not zero: [tile, kernel row, kernel column, channel group]."""
        shape = Arrangement(
            g.weight.name, "sparse", "int8", 0, 0, kernel=g.kernel, padded_channels=channels, group=group, lanes=outputs
        )
        found: npt.NDArray[np.bool_] = self.remember(
            ("rows", g.weight.name, g.kernel, group, outputs, channels),
            lambda: rows_kept(shape, self.graph.data[g.weight.name]),
        )
        return found

    def taps(self, g: WeightedSum) -> Arrangement:
        """Place a depthwise weight, one element a channel and tap."""
        taps = g.kernel[0] * g.kernel[1]
        count = padded(g.output.channels) * taps
        return self.place(g.weight.name, "taps", self.weight_dtype(g.weight), count, kernel=g.kernel, groups=g.groups)

    def bit_planes(self, g: WeightedSum, words: int) -> Arrangement:
        """Place ternary weights as bits, `words` words of 32 inputs for each output and sign."""
        channels = padded(g.input.channels)
        count = padded(g.output.channels) * words * 2
        return self.place(g.weight.name, "bits", "int32", count, kernel=g.kernel, padded_channels=channels)

    def event_rows(self, g: WeightedSum, *, lanes: int, block: int, parts: int, fill: int) -> Arrangement:
        """Place a weight as rows of `lanes` outputs, one a tap and input: `block` channels, then a row of zeros."""
        out, blocks = -(-g.output.channels // lanes) * lanes, -(-g.input.channels // block)
        return self.place(
            g.weight.name,
            "events",
            "int16",
            out // 2 * parts * g.kernel[0] * g.kernel[1] * blocks * (block + 1),
            kernel=g.kernel,
            channels=g.input.channels,
            padded_channels=blocks * block,
            groups=g.groups,
            group=block,
            lanes=lanes,
            parts=parts,
            fill=fill,
        )

    def spread(self, g: WeightedSum) -> Arrangement:
        """Place a weight by inputs: what one of them adds to the outputs of a tile, tap after tap."""
        channels = padded(g.input.channels)
        count = padded(g.output.channels) * channels * g.kernel[0] * g.kernel[1]
        dtype = self.weight_dtype(g.weight)
        return self.place(g.weight.name, "spread", dtype, count, kernel=g.kernel, padded_channels=channels)

    def digits(self, value: Value) -> tuple[Digits, ...]:
        """Return a weight's digits for look-up tables; empty where it has none."""
        found: tuple[Digits, ...] = self.remember(
            ("digits", value.name), lambda: decompose(self.graph.data[value.name])
        )
        return found

    def flush_periods(self, g: WeightedSum, rows_inside: bool, inputs: int) -> tuple[int, ...]:
        """Return, for each digit of a weight, how many groups of `inputs` in a row a byte may sum."""
        found: tuple[int, ...] = self.remember(
            ("flush periods", g.weight.name, g.kernel, rows_inside, inputs),
            lambda: self._flush_periods(g, rows_inside, inputs),
        )
        return found

    def _flush_periods(self, g: WeightedSum, rows_inside: bool, inputs: int) -> tuple[int, ...]:
        weight = self.graph.data[g.weight.name]
        values = (d.way.values(weight, d.part) for d in self.digits(g.weight))
        return tuple(flush_period(in_order(v, g.kernel, rows_inside, inputs)) for v in values)

    def codes(self, g: WeightedSum, part: int, *, outputs: int, rows_inside: bool, inputs: int) -> Arrangement:
        """Place one digit of a weight as codes of neighbours, `inputs` channels a look-up, for tiles of `outputs`."""
        digits = self.digits(g.weight)[part]
        split = digits.split(inputs)
        groups = -(-g.input.channels // inputs) * g.kernel[0] * g.kernel[1]
        count = padded(g.output.channels) * groups * (inputs // split)
        return self.place(
            g.weight.name,
            "codes",
            "int16",
            count,
            kernel=g.kernel,
            channels=g.input.channels,
            rows_inside=rows_inside,
            group=outputs,
            part=digits.part,
            way=(digits.way.kind, digits.way.bits, digits.way.count),
            alphabet=digits.alphabet,
            split=split,
            inputs=inputs,
            fill=2**inputs,  # where a piece begins
        )

    def pieces(self, g: WeightedSum, part: int, inputs: int) -> Arrangement:
        """Place the tables that the codes of one digit choose from."""
        digits = self.digits(g.weight)[part]
        split = digits.split(inputs)
        count = inputs // split * len(digits.alphabet) ** split * 2**inputs
        shape = {"part": digits.part, "alphabet": digits.alphabet, "split": split, "inputs": inputs}
        return self.place(g.weight.name, "pieces", "int8", count, **shape)

    def programs(self, g: WeightedSum, group: int, planes: int, step: int) -> Programs:
        """Return the programs of full adders of a weight, for blocks of `group` channels, vectors of `step` words."""
        key = ("programs", g.weight.name, g.kernel, group, planes, step, g.bits)
        found: Programs = self.remember(key, lambda: self._programs(g, group, planes, step))
        return found

    def _programs(self, g: WeightedSum, group: int, planes: int, step: int) -> Programs:
        weight = self.graph.data[g.weight.name]
        rows = self.remember(("rows of programs", g.weight.name, g.kernel), lambda: _whole_tiles(weight, g.kernel))
        levels = self.remember(
            ("slices", g.weight.name, planes, g.bits), lambda: slices_of(weight, planes, 16 if g.bits <= 16 else 32)
        )
        return Programs(rows, group, planes, levels, step)

    def program_words(self, g: WeightedSum, made: Programs) -> Arrangement:
        """Place programs, with the tables before them."""
        shape = {"kernel": g.kernel, "group": made.group, "split": made.planes, "part": made.levels, "words": made.step}
        return self.place(g.weight.name, "programs", "int16", made.words * 4, **shape)

    def columns(self, g: WeightedSum, words: int, times: int = 1) -> Arrangement:
        """Place which pixels of the output see a kernel column within the map: `words` words of bits each, repeated."""
        shape = (g.output.width, g.output.height, g.input.width, g.stride[1], g.padding[1])
        count = g.kernel[1] * words * times
        return self.place(g.weight.name, "columns", "int64", count, kernel=g.kernel, strides=shape, group=times)

    def table(self, value: Value, dtype: str, fill: int) -> Arrangement:
        rows, steps, channels = value.type.shape
        return self.place(value.name, "table", dtype, rows * steps * padded(channels), fill=fill)

    def limits(self, op: Automaton, dtype: str, together: int) -> Arrangement:
        """Place the thresholds of an automaton as vectors to permute, one a threshold for `together` channels."""
        entries, channels = Entries.of(op), op.out.type.shape[0]
        vectors = padded(channels) // together * (len(op.following) - 1) * (2 if entries.gated else 1)
        return self.place(
            op.inputs[2].name,
            "limits",
            dtype,
            vectors * 64 // _SIZES[dtype],
            channels=channels,
            group=together,
            entries=entries.rows,
            carry=entries.carry,
            closed=entries.closed,
        )

    def largest_sum(self, g: WeightedSum, inputs: int) -> int:
        """Return the largest sum that the weights can give over inputs from 0 to `inputs`."""
        weight = self.graph.data[g.weight.name]
        found: int = self.remember(
            ("largest sum", g.weight.name),
            lambda: int(np.maximum(weight, 0).reshape(len(weight), -1).sum(axis=1).max(initial=0)),
        )
        return found * inputs

    def vector(self, value: Value, dtype: str) -> Arrangement:
        return self.place(value.name, "vector", dtype, padded(value.type.size))

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

    def place(self, name: str, form: str, dtype: str, count: int, **shape: Any) -> Arrangement:
        """Return where `count` elements of a constant lie in a form: one place for one request.

        Requests are one where every field but the place is equal: two constants that differ in any of them may differ
        in their bytes.
        """
        size = count * _SIZES[dtype]
        request = Arrangement(name, form, dtype, 0, size, **shape)
        if request not in self.placed:
            check_extent(self.size + size, "weights and thresholds")
            self.placed[request] = replace(request, offset=self.size)
            self.size += -(-size // 64) * 64
        return self.placed[request]


def _whole_tiles(weight: npt.NDArray[np.int64], kernel: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return OxCxKxL weights with outputs of zeros up to whole tiles."""
    whole = weight.reshape(len(weight), -1, *kernel)
    return np.pad(whole, ((0, padded(len(whole)) - len(whole)), (0, 0), (0, 0), (0, 0)))
