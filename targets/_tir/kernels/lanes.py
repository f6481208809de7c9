"""How the outputs of a sum fill vectors of 64 byte lanes, and how its index bytes lie for them. No TVM."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..digits import GROUP
from ..geometry import WeightedSum

VECTOR = 64
_VECTORS = 5  # lane vectors in registers at once; with 4 outputs each that is 20 accumulators


@dataclass(frozen=True)
class Lanes:
    """Lanes are pixels of one step (`narrow` false), or all steps' pixels one after another (small maps).

    A chunk of pixels is finished at a time. Lane `step * step_stride + pixel` of a chunk is that output; `vectors` of
    them are summed at once, `windows` times. Index bytes lie [slot][step][...] (not narrow) or [slot][lane]; a slot is
    a channel group with a kernel column, and with a kernel row unless `rows_inside`: then the rows of one slot are the
    same bytes, `out_width` further on.
    """

    steps: int
    pixels: int
    out_width: int
    narrow: bool
    rows_inside: bool
    rows: int  # kernel rows of a slot: the kernel's height, or 1
    chunk: int
    chunks: int
    vectors: int
    windows: int
    outputs: int  # in registers at once, of 16
    slots: int

    @property
    def step_stride(self) -> int:
        return self.chunk

    @property
    def lanes(self) -> int:
        """How many lanes a chunk has, whole vectors of them."""
        return self.vectors * self.windows * VECTOR

    @property
    def step_bytes(self) -> int:
        """How far a slot's next step lies."""
        if self.narrow:
            return self.pixels
        return _up(self.chunks * self.chunk + (self.rows - 1) * self.out_width) + VECTOR

    @property
    def slot_bytes(self) -> int:
        if self.narrow:
            return self.lanes + VECTOR
        return self.window_steps * self.windows * self.step_bytes

    @property
    def window_steps(self) -> int:
        """How many steps a window has, where it has whole ones."""
        return self.vectors // (self.chunk // VECTOR)

    def first(self, vector: int) -> int:
        """Return where the index bytes of a window's vector begin, from the window's own beginning."""
        if self.narrow:
            return vector * VECTOR
        step, part = divmod(vector, self.chunk // VECTOR)
        return step * self.step_bytes + part * VECTOR

    @property
    def window_bytes(self) -> int:
        """How far the index bytes of the next window lie."""
        return self.vectors * VECTOR if self.narrow else self.window_steps * self.step_bytes

    @property
    def tile_slot(self) -> int:
        """Bytes of one slot in a tile: every vector that is read for it, in order (narrow: the slot itself)."""
        return self.slot_bytes if self.narrow else self.rows * self.vectors * VECTOR

    @property
    def tile_window(self) -> int:
        """Bytes of a window's tile."""
        return self.window_bytes if self.narrow else self.slots * self.tile_slot

    @property
    def tiles_bytes(self) -> int:
        """Bytes of all tiles, [chunk][window][slot]."""
        return self.slots * self.slot_bytes if self.narrow else self.chunks * self.windows * self.tile_window

    @property
    def fill(self) -> float:
        """How many of the lanes are outputs."""
        return self.steps * self.pixels / (self.chunks * self.lanes)


def choose_lanes(g: WeightedSum, steps: int) -> Lanes:
    """Return the fuller of the two ways; the wide one where they are close, for its fewer index bytes."""
    wide, narrow = _wide(g, steps), _narrow(g, steps)
    return wide if wide.fill > 0.8 * narrow.fill else narrow


def _wide(g: WeightedSum, steps: int) -> Lanes:
    vectors = -(-g.output.pixels // VECTOR)
    windows = -(-steps // _VECTORS)
    window = -(-steps // windows)
    together = max(n for n in range(1, max(1, 4 // window) + 1) if vectors % n == 0)
    inside = g.stride[0] == 1 and g.kernel[0] > 1
    slots = g.kernel[1] * -(-g.input.channels // GROUP) * (1 if inside else g.kernel[0])
    rows = g.kernel[0] if inside else 1
    chunk = together * VECTOR
    return _lanes(g, steps, False, inside, rows, chunk, vectors // together, window * together, windows, slots)


def _narrow(g: WeightedSum, steps: int) -> Lanes:
    vectors = -(-steps * g.output.pixels // VECTOR)
    windows = -(-vectors // _VECTORS)
    slots = math.prod(g.kernel) * -(-g.input.channels // GROUP)
    return _lanes(g, steps, True, False, 1, g.output.pixels, 1, -(-vectors // windows), windows, slots)


def _lanes(
    g: WeightedSum,
    steps: int,
    narrow: bool,
    inside: bool,
    rows: int,
    chunk: int,
    chunks: int,
    vectors: int,
    windows: int,
    slots: int,
) -> Lanes:
    outputs = 8 if vectors <= 2 else 4
    return Lanes(
        steps, g.output.pixels, g.output.width, narrow, inside, rows, chunk, chunks, vectors, windows, outputs, slots
    )


def _up(size: int) -> int:
    return -(-size // VECTOR) * VECTOR
