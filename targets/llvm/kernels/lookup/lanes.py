"""How the outputs of a sum fill vectors of byte lanes, and how its index bytes lie for them. No TVM."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spqc.targets._plan.geometry import WeightedSum

from ..rows.byte_permutes import Permute


@dataclass(frozen=True)
class Lanes:
    """Lanes are pixels of one step (`narrow` false), or all steps' pixels one after another (small maps).

    A chunk of pixels is finished at a time. Lane `step * step_stride + pixel` of a chunk is that output; `vectors` of
    them are summed at once, `windows` times. Index bytes lie [slot][step][...] (not narrow) or [slot][lane]; a slot is
    a channel group with a kernel column, and with a kernel row unless `rows_inside`: then the rows of one slot are the
    same bytes, `out_width` further on.
    """

    permute: Permute
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
    def vector(self) -> int:
        """Lanes of one vector."""
        return self.permute.vector

    @property
    def step_stride(self) -> int:
        return self.chunk

    @property
    def lanes(self) -> int:
        """How many lanes a chunk has, whole vectors of them."""
        return self.vectors * self.windows * self.vector

    @property
    def step_bytes(self) -> int:
        """How far a slot's next step lies."""
        if self.narrow:
            return self.pixels
        rows = self.chunks * self.chunk + (self.rows - 1) * self.out_width
        return -(-rows // self.vector) * self.vector + self.vector

    @property
    def slot_bytes(self) -> int:
        if self.narrow:
            return self.lanes + self.vector
        return self.window_steps * self.windows * self.step_bytes

    @property
    def window_steps(self) -> int:
        """How many steps a window has, where it has whole ones."""
        return self.vectors // (self.chunk // self.vector)

    def first(self, vector: int) -> int:
        """Return where the index bytes of a window's vector begin, from the window's own beginning."""
        if self.narrow:
            return vector * self.vector
        step, part = divmod(vector, self.chunk // self.vector)
        return step * self.step_bytes + part * self.vector

    @property
    def window_bytes(self) -> int:
        """How far the index bytes of the next window lie."""
        return self.vectors * self.vector if self.narrow else self.window_steps * self.step_bytes

    @property
    def tile_slot(self) -> int:
        """Bytes of one slot in a tile: every vector that is read for it, in order (narrow: the slot itself)."""
        return self.slot_bytes if self.narrow else self.rows * self.vectors * self.vector

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


def choose_lanes(conv: WeightedSum, steps: int, permute: Permute) -> Lanes:
    """Return the fuller of the two ways; the wide one where they are close, for its fewer index bytes."""
    wide, narrow = _wide(conv, steps, permute), _narrow(conv, steps, permute)
    return wide if wide.fill > 0.8 * narrow.fill else narrow


def _wide(conv: WeightedSum, steps: int, permute: Permute) -> Lanes:
    vectors = -(-conv.output.pixels // permute.vector)
    windows = -(-steps // permute.vectors)
    window = -(-steps // windows)
    vectors_per_chunk = max(n for n in range(1, max(1, 4 // window) + 1) if vectors % n == 0)
    inside = conv.stride[0] == 1 and conv.kernel[0] > 1
    return Lanes(
        permute,
        steps,
        conv.output.pixels,
        conv.output.width,
        narrow=False,
        rows_inside=inside,
        rows=conv.kernel[0] if inside else 1,
        chunk=vectors_per_chunk * permute.vector,
        chunks=vectors // vectors_per_chunk,
        vectors=window * vectors_per_chunk,
        windows=windows,
        outputs=permute.outputs(window * vectors_per_chunk),
        slots=conv.kernel[1] * -(-conv.input.channels // permute.inputs) * (1 if inside else conv.kernel[0]),
    )


def _narrow(conv: WeightedSum, steps: int, permute: Permute) -> Lanes:
    whole = -(-steps * conv.output.pixels // permute.vector)
    windows = -(-whole // permute.vectors)
    vectors = -(-whole // windows)
    return Lanes(
        permute,
        steps,
        conv.output.pixels,
        conv.output.width,
        narrow=True,
        rows_inside=False,
        rows=1,
        chunk=conv.output.pixels,
        chunks=1,
        vectors=vectors,
        windows=windows,
        outputs=permute.outputs(vectors),
        slots=math.prod(conv.kernel) * -(-conv.input.channels // permute.inputs),
    )
