"""How the outputs of a sum fill vectors of bit lanes, and the memory of counting in bit slices. No TVM."""

from __future__ import annotations

from dataclasses import dataclass

from spqc.targets._plan.adder_programs import FIRST, SLACK, Programs
from spqc.targets._plan.geometry import WeightedSum

WORD_BITS = 64
WORDS = 8  # of the widest vector
_NARROW = 4  # words of a vector where a map fills no more: of more channels, each list of inputs is longer
_NEAR = 592 * WORDS  # words of a block of channels: they and their carries stay in a first-level cache of 48 KiB
_MORE = 0.03  # what a further vector of a chunk costs: counters that wait in a farther cache


@dataclass(frozen=True)
class SliceLanes:
    """Lane `step * chunk + pixel` of a chunk is an output: `width` words of 64 pixels for each step (see RowShape).

    A vector has `words` words.
    """

    steps: int
    pixels: int
    out_width: int
    width: int
    words: int = WORDS

    @property
    def chunk(self) -> int:
        return self.width * WORD_BITS

    @property
    def step_stride(self) -> int:
        return self.chunk

    @property
    def chunks(self) -> int:
        return -(-self.pixels // self.chunk)

    @property
    def vectors(self) -> int:
        return -(-self.steps * self.width // self.words)

    @property
    def lanes(self) -> int:
        return self.vectors * self.bits

    @property
    def bits(self) -> int:
        """Lanes of a vector."""
        return self.words * WORD_BITS

    @property
    def piece(self) -> int:
        """Words that are copied at once: whole steps or whole vectors of them."""
        return min(self.width, self.words) if self.width & (self.width - 1) == 0 else 1


def choose_slice_lanes(conv: WeightedSum, steps: int) -> SliceLanes:
    """Return the lanes with the fewest vectors, narrow if those are as few, in small chunks where that costs little."""
    whole = -(-conv.output.pixels // WORD_BITS)
    widths = [w for w in (1, 2, 3, 4, 5, 6, 7, 8) if w <= whole]
    candidates = [
        SliceLanes(steps, conv.output.pixels, conv.output.width, w, words) for words in (_NARROW, WORDS) for w in widths
    ]
    return min(candidates, key=lambda n: n.chunks * n.vectors * (1 + _MORE * (n.vectors - 1)))


def channels_of_block(conv: WeightedSum, lanes: SliceLanes, planes: int) -> int:
    """Return how many channels' bit vectors stay near while all outputs count them: equal blocks of them."""
    taps = conv.kernel[0] * conv.kernel[1]
    most = max(1, _NEAR // (lanes.words * planes * taps))
    return -(-conv.input.channels // -(-conv.input.channels // most))


@dataclass(frozen=True)
class Part:
    """Scratch of the outputs that one thread counts, in words from its beginning; vectors are aligned.

    `[vector of the chunk][zeros, ones, inputs, carries]`, then counters `[vector of the chunk][output][slice]`.
    """

    lanes: SliceLanes
    programs: Programs
    outputs: int

    @property
    def set_words(self) -> int:
        """Words of one vector's inputs."""
        return (FIRST + self.programs.inputs + self.programs.carries) * self.lanes.words

    @property
    def counter_words(self) -> int:
        """Words of one output's counters."""
        return (self.programs.levels + SLACK) * self.lanes.words

    @property
    def counters(self) -> int:
        return self.lanes.vectors * self.set_words

    @property
    def words(self) -> int:
        """All words, to a cache line's end: parts of two threads share none."""
        end = self.counters + self.lanes.vectors * self.outputs * self.counter_words
        return -(-end // WORDS) * WORDS


@dataclass(frozen=True)
class Phases:
    """The maps of bits that staging makes: for strides, pixels whose row and column leave the same rest.

    Every map has rows of the output's width, so that a kernel's place is a shift of the whole map; bits beyond the
    input's columns are zeros, and shifts across a row's end are masked.
    """

    conv: WeightedSum

    @property
    def known(self) -> bool:
        """Whether rows of the output's width hold the map's columns."""
        conv = self.conv
        return all(-(-(conv.input.width - px) // conv.stride[1]) <= conv.output.width for _, px in self.origins)

    @property
    def origins(self) -> list[tuple[int, int]]:
        """Return (row, column) of each map's first pixel."""
        return sorted({(py, px) for _, _, (py, px), _ in self.taps})

    @property
    def taps(self) -> list[tuple[int, int, tuple[int, int], int]]:
        """Return (kernel row, kernel column, map's first pixel, shift in bits) of every place of the kernel."""
        conv = self.conv
        made = []
        for ky in range(conv.kernel[0]):
            for kx in range(conv.kernel[1]):
                dy, py = divmod(ky - conv.padding[0], conv.stride[0])
                dx, px = divmod(kx - conv.padding[1], conv.stride[1])
                made.append((ky, kx, (py, px), dy * conv.output.width + dx))
        return made

    def masked(self, kx: int) -> bool:
        """Return whether a kernel column leaves the map at some pixel."""
        conv = self.conv
        first = kx - conv.padding[1]
        return first < 0 or (conv.output.width - 1) * conv.stride[1] + first >= conv.input.width

    def rows(self, py: int) -> int:
        return -(-(self.conv.input.height - py) // self.conv.stride[0])

    @property
    def words(self) -> int:
        """Words of the longest map's bits."""
        return max(-(-self.rows(py) * self.conv.output.width // WORD_BITS) for py, _ in self.origins)

    @property
    def before(self) -> int:
        """Words of zeros before a map: shifts read them."""
        return 1 + max(0, -(min(shift for *_, shift in self.taps) // WORD_BITS))

    def after(self, lanes: SliceLanes) -> int:
        """Words of zeros behind a map."""
        top = max(shift for *_, shift in self.taps) // WORD_BITS + 1
        return max(1, lanes.chunks * lanes.width + top + WORDS - self.words)
