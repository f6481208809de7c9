"""How a network's input becomes vectors of pixels: chunks of lanes, four inputs of an output together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from spqc.targets._plan.geometry import Map, WeightedSum

INPUTS = 4  # of a quad: what one byte dot product adds


@dataclass(frozen=True)
class PixelLanes:
    """Lane `step * chunk + pixel` of a chunk is an output (see RowShape)."""

    steps: int
    pixels: int
    out_width: int
    chunk: int = 64

    @property
    def step_stride(self) -> int:
        return self.chunk

    @property
    def lanes(self) -> int:
        return self.steps * self.chunk

    @property
    def chunks(self) -> int:
        return -(-self.pixels // self.chunk)


def quads_of(conv: WeightedSum) -> int:
    """Return how many quads hold the inputs of one output."""
    return -(-conv.input.channels * conv.kernel[0] * conv.kernel[1] // INPUTS)


@dataclass(frozen=True)
class Pieces:
    """A row of `width` pixels, moved `pixels` at once; the last piece may move again what the one before did."""

    width: int
    pixels: int

    @staticmethod
    def of(width: int) -> Pieces:
        """Return pieces of 16 pixels, or of a power of two that divides a shorter row."""
        return Pieces(width, 16 if width >= 16 else width & -width)

    @property
    def count(self) -> int:
        return -(-self.width // self.pixels)


def pieces(conv: WeightedSum) -> Pieces:
    """Return how a row of outputs is put together: one by one where the kernel skips columns."""
    return Pieces.of(conv.output.width) if conv.stride[1] == 1 else Pieces(conv.output.width, 1)


def in_order(conv: WeightedSum) -> WeightedSum:
    """Return the sum of one pixel whose channels are all inputs of an output: its weights lie as quads do."""
    return replace(
        conv,
        kernel=(1, 1),
        input=Map(conv.input.channels * conv.kernel[0] * conv.kernel[1], 1, 1, tile=conv.input.tile),
    )
