"""Neurons whose input does not change in time: a comparison and a flip for each place gives the spikes of all steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tvm.tirx.script import builder as T

from spqc.ir.ops import Automaton
from spqc.targets._plan.constant_input_spikes import SpikesByPlace
from spqc.targets._plan.geometry import Region
from spqc.targets._plan.neurons import constant_input_spikes
from spqc.targets._tir.context import Context
from spqc.targets._tir.vector import Expr, Registers, bind, cast, constant, lanes, materialise, select, when
from spqc.targets._tir.width import LANES

from .blocks import Block


class Sums(Protocol):
    """The sums of a block, by number: in registers, or where another strategy left them."""

    def __getitem__(self, index: int) -> Expr: ...


@dataclass
class ConstantInputNeurons:
    """Emits the packed spikes of one region's neurons."""

    context: Context
    op: Automaton
    spikes: SpikesByPlace

    @classmethod
    def of(cls, context: Context, region: Region) -> ConstantInputNeurons | None:
        """Return the emitter of a region, None where its neurons go step by step."""
        op, spikes = region.neuron, constant_input_spikes(context.program, region, context.constants)
        return cls(context, op, spikes) if spikes and isinstance(op, Automaton) else None

    def run(self, block: Block, sums: Sums, words: Registers, tile: Expr, inside: Callable[[int], Expr | None]) -> None:
        """Emit a block, one sum for each of its places: [tile][pixel]; `inside` says whether a pixel exists."""
        for o in range(block.tiles):
            self._prepare(bind((tile * block.tiles + o) * LANES))
            for p in range(block.pixels):
                with when(inside(p)):
                    words[o * block.pixels + p] = self._spikes(sums[o * block.pixels + p])

    def _prepare(self, channel: Expr) -> None:
        where = self.context.constants.constant_input_spikes(self.op, self.spikes, self.context.steps)
        self.base = bind(self.context.constant_index(where.offset, "int32") + channel * self._rows)

    @property
    def _rows(self) -> int:
        return 1 + 2 * self.spikes.count

    def _row(self, index: int) -> Expr:
        return T.Bind(self.context.memory.view("constant", "int32")[lanes(self.base + index * LANES)])

    def _spikes(self, n: Expr) -> Expr:
        """Return the spikes of all steps of LANES sums."""
        n, word = materialise(cast(n, "int32")), self._row(0)
        for k in range(self.spikes.count):
            flips = select(n >= self._row(1 + 2 * k), self._row(2 + 2 * k), constant(0, "int32"))
            word = materialise(word ^ flips)
        return word
