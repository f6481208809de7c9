"""The dense kernel: a convolution over all steps, its neuron and its pooling, in registers from first sum to spike.

Loops: channel tile, row, block of pixels, window of steps. A block's sums stay in registers over the whole kernel; then
the neuron runs through its steps with its state in registers, and only packed spikes (or what was pooled) reach memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir import Value
from spqc.ir.ops import Automaton, MaxPool, SumPool
from spqc.targets._plan.geometry import Map, Region, map_of
from spqc.targets._plan.neurons import thresholds
from spqc.targets._tir.automaton import Fired
from spqc.targets._tir.context import Context
from spqc.targets._tir.epilogue import Epilogue, VectorPosition
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, Registers, all_of, bind, broadcast, cast, constant, i32, loop, store, when
from spqc.targets._tir.width import LANES

from ..intrinsics import or_lanes
from .accumulate import Accumulation
from .blocks import Block, choose_block, room
from .constant_input_spikes import ConstantInputNeurons, Sums
from .product import Product, choose
from .stage import Staged, stage
from .states import load_state, store_state


@dataclass
class Dense:
    """Emits one region; `product` is None for a region without a sum (its input comes from memory)."""

    context: Context
    region: Region
    wanted: Block | None = None  # None: the one that `choose_block` finds
    product: Product | None = None

    def emit(self) -> None:
        conv = self.region.sum
        self.once = conv is not None and conv.constant
        if conv is not None:
            self.product = choose(conv, self.context.machine, self.context.constants)
        self.dtype = self.product.dtype if self.product is not None else self._source_dtype()
        self.output = conv.output if conv is not None else map_of(self.region.epilogue[0].outputs[0], LANES)
        self.steps = self.context.steps_of(self.region.last.out)
        steps = 1 if self.once else self.steps
        space = room(self.context.machine, self.product)
        self.block = self.wanted or choose_block(self.output, steps, thresholds(self.region), space)
        self.epilogue = Epilogue(self.context, self.region.epilogue, self.dtype)
        self.target = self._target()
        self.constant_input = ConstantInputNeurons.of(self.context, self.region)
        self.staged = self.stage_input()
        if self.region.pool is not None and self.target is not None:
            self.target.clear()
        self.loops()

    def _source_dtype(self) -> str:
        return "int64" if self.context.place_of(self.region.epilogue[0].inputs[0]).dtype == "int64" else "int32"

    def _target(self) -> Place | None:
        """Return where the region's result goes; None where nobody reads it."""
        known = self.region.result.name in self.context.program.buffer_of
        return self.context.place_of(self.region.result) if known else None

    def stage_input(self) -> Staged | None:
        conv = self.region.sum
        if conv is None or self.product is None:
            return None
        blocks = -(-conv.output.width // self.block.pixels)
        columns = (blocks * self.block.pixels - 1) * conv.stride[1] + conv.kernel[1]
        return stage(self.context, conv, columns, self.product.group)

    def loops(self) -> None:
        # rows of one pooled row stay with one thread
        rows = self.region.pooled_rows
        groups = -(-self.output.rows // rows)
        tiles = self.output.padded // LANES // self.block.tiles
        with self.context.parallel(tiles * groups) as unit:
            tile = bind(tirx.floordiv(unit, i32(groups)))
            with loop(rows) as r:
                y = bind(tirx.floormod(unit, i32(groups)) * rows + r)
                inside = y < i32(self.output.rows) if self.output.rows % rows else None
                with when(inside), loop(-(-self.output.width // self.block.pixels)) as block:
                    self.body(tile, y, bind(block * self.block.pixels))

    def body(self, tile: Expr, y: Expr, x: Expr) -> None:
        b = self.block
        self.words = Registers("words", b.tiles * b.pixels) if self._packs else None
        self.states = self._first_states(tile, y, x)
        windows = self.steps // b.steps if not self.once else 1
        with loop(windows) as window:
            first = bind(window * b.steps)
            sums = self.sums(tile, y, x, first)
            steps: range = range(self.steps if self.once else b.steps)
            if self.constant_input is None:
                self._step_by_step(sums, steps, tile, y, x, first)
            else:
                self._at_once(self.constant_input, sums, steps, tile, y, x)
        self._after(tile, y, x)

    def _step_by_step(self, sums: Sums | None, steps: range, tile: Expr, y: Expr, x: Expr, first: Expr) -> None:
        b = self.block
        for o in range(b.tiles):
            channel = bind((tile * b.tiles + o) * LANES)
            self.epilogue.prepare(channel)
            for p in range(b.pixels):
                with when(self._inside(x, p)):
                    for t in steps:
                        self._finish(sums, o, p, t, first, y, x, channel)

    def _at_once(
        self, neurons: ConstantInputNeurons, sums: Sums | None, steps: range, tile: Expr, y: Expr, x: Expr
    ) -> None:
        """Emit the spikes of all steps from each sum; a trace wants the states between them too."""
        if sums is None or self.words is None:
            raise TypeError("spikes of a constant input come from sums, and are packed")
        with T.If(self.context.memory.traced != i32(0)):
            with T.Then():
                self._step_by_step(sums, steps, tile, y, x, i32(0))
            with T.Else():
                neurons.run(self.block, sums, self.words, tile, lambda p: self._inside(x, p))

    @property
    def _packs(self) -> bool:
        if self.target is None:
            return False
        return self.target.packed or (isinstance(self.region.pool, MaxPool) and self.target.steps == 1)

    def _inside(self, x: Expr, p: int) -> Expr | None:
        """Return the condition that pixel p of a block exists, None where every one does."""
        return None if self.output.width % self.block.pixels == 0 else x + p < i32(self.output.width)

    def _first_states(self, tile: Expr, y: Expr, x: Expr) -> list[Registers]:
        neuron = self.region.neuron
        if self.words is not None:
            self._clear(self.words)
        values = neuron.state_inputs if neuron is not None else ()
        return [self._first_state(value, neuron.low if neuron is not None else 0, tile, y, x) for value in values]

    def _first_state(self, value: Value, low: int, tile: Expr, y: Expr, x: Expr) -> Registers:
        b = self.block
        state = Registers("state", b.tiles * b.pixels)
        for o in range(b.tiles):
            for p in range(b.pixels):
                state[o * b.pixels + p] = constant(-low, "int32")
                if self.context.program.mode == "stepped":
                    with when(self._inside(x, p)):
                        channel = (tile * b.tiles + o) * LANES
                        pixel = y * self.output.width + x + p
                        state[o * b.pixels + p] = load_state(self.context, value, pixel, channel)
        return state

    def _clear(self, registers: Registers) -> None:
        for i in range(self.block.tiles * self.block.pixels):
            registers[i] = constant(0, "int32")

    def sums(self, tile: Expr, y: Expr, x: Expr, first: Expr) -> Sums | None:
        """Emit the multiply-accumulate loops of one block and return its accumulators [tile][pixel][step]."""
        conv, product, staged = self.region.sum, self.product, self.staged
        if conv is None or product is None or staged is None:
            return None
        b = self.block
        sums = Registers("sums", b.accumulators, product.dtype)
        for i in range(b.accumulators):
            sums[i] = constant(0, product.dtype)
        with when(self._open(tile, first)):
            for part in range(product.parts):
                if part > 0:
                    for i in range(b.accumulators):
                        sums[i] = sums[i] << constant(8, product.dtype)
                self._accumulate(sums, part, tile, y, x, first)
        return sums

    def _accumulate(self, sums: Registers, part: int, tile: Expr, y: Expr, x: Expr, first: Expr) -> None:
        """Emit the loops over the kernel and the input channels that add one part of the weights into the sums."""
        conv, product, staged = self.region.sum, self.product, self.staged
        if conv is not None and product is not None and staged is not None:
            Accumulation(self.context, conv, product, staged, self.block, part).emit(sums, tile, y, x, first)

    def _open(self, tile: Expr, first: Expr) -> Expr | None:
        """Return the condition that a gate lets any channel of the tile through in this window; None without a skip."""
        neuron = self.region.neuron
        if not self.region.kernel.skip or not isinstance(neuron, Automaton):
            return None
        gate = self.context.place_of(neuron.inputs[neuron.operand("gate") or 0])
        opened = None
        for o in range(self.block.tiles):
            for t in range(self.block.steps):
                one = gate.load(first + t, i32(0), (tile * self.block.tiles + o) * LANES)
                opened = one if opened is None else opened | one
        return or_lanes(opened, "int32") != i32(0)

    def _finish(self, sums: Sums | None, o: int, p: int, t: int, first: Expr, y: Expr, x: Expr, channel: Expr) -> None:
        """Emit what follows one sum: the neuron's step and where its result goes."""
        b = self.block
        step = bind(first + t)
        pixel = bind(y * self.output.width + x + p)
        place = o * b.pixels + p
        if sums is not None:
            n = bind(sums[place if self.once else place * b.steps + t])
        else:
            n = bind(self.context.place_of(self.region.epilogue[0].inputs[0]).load(step, pixel, channel, self.dtype))
        fired = self.epilogue.run(
            n, VectorPosition(step, pixel, channel), tuple(bind(state[place]) for state in self.states)
        )
        for register, following in zip(self.states, fired.states, strict=True):
            register[place] = following
        self._trace(fired, step, pixel, channel)
        if self.words is not None:
            self.words[place] = self.words[place] | (fired.value << broadcast(step))
        elif self.target is not None:
            self._store(fired.value, step, y, x + p, pixel, channel)

    def _trace(self, fired: Fired, step: Expr, pixel: Expr, channel: Expr) -> None:
        last = self.region.last
        if last.out.name not in self.context.traces:
            return
        shifted = [state << constant(1, "int32") for state in fired.states] or [constant(0, "int32")]
        with when(self.context.memory.traced != i32(0)):
            elements = (shifted[0] | fired.value, *shifted[1:])
            for value, element in zip((last.out, *last.outputs[2:]), elements, strict=True):
                dtype = "uint8" if self.context.traces[value.name].bits == 8 else "int32"
                at = self.context.trace_index(value.name, step, pixel, channel)
                store(self.context.memory.view("trace", dtype), at, cast(element, dtype))

    def _store(self, value: Expr, step: Expr, y: Expr, x: Expr, pixel: Expr, channel: Expr) -> None:
        """Store an unpacked result, adding to (or joining with) its pooled pixel where there is one."""
        target = self.target
        if target is None:
            return
        if self.region.pool is None:
            target.store(step, pixel, channel, value)
            return
        with when(self._pooled_inside(y, x, target.map)):
            at = bind(self._pooled(y, x, target.map))
            old = target.load(step, at, channel)
            target.store(step, at, channel, old + value if isinstance(self.region.pool, SumPool) else old | value)

    def _pooled(self, y: Expr, x: Expr, pooled: Map) -> Expr:
        k = self.region.pooled_rows
        return tirx.floordiv(y, i32(k)) * pooled.width + tirx.floordiv(x, i32(k))

    def _pooled_inside(self, y: Expr, x: Expr, pooled: Map) -> Expr | None:
        """Return the condition that a pixel falls into a window; the last rows and columns may not."""
        k = self.region.pooled_rows
        conditions = []
        if pooled.height * k < self.output.height:
            conditions.append(y < i32(pooled.height * k))
        if pooled.width * k < self.output.width:
            conditions.append(x < i32(pooled.width * k))
        return all_of(conditions)

    def _after(self, tile: Expr, y: Expr, x: Expr) -> None:
        """Store what a block kept in registers: packed spikes and, when streaming, states."""
        b = self.block
        stepped = self.context.program.mode == "stepped"
        for o in range(b.tiles):
            channel = bind((tile * b.tiles + o) * LANES)
            for p in range(b.pixels):
                place = o * b.pixels + p
                with when(self._inside(x, p)):
                    if self.words is not None:
                        self._store_words(self.words[place], y, x + p, channel)
                    if self.region.neuron is not None and stepped:
                        pixel = bind(y * self.output.width + x + p)
                        for value, state in zip(self.region.neuron.state_inputs, self.states, strict=True):
                            store_state(self.context, value, pixel, channel, state[place])

    def _store_words(self, word: Expr, y: Expr, x: Expr, channel: Expr) -> None:
        target = self.target
        if target is None:
            return
        if self.region.pool is None:
            target.store(i32(0), bind(y * self.output.width + x), channel, word)
            return
        with when(self._pooled_inside(y, x, target.map)):
            at = bind(self._pooled(y, x, target.map))
            target.store(i32(0), at, channel, target.load_word(at, channel) | word)
