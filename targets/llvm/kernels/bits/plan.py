"""How a bit-serial sum is cut into words and blocks, and whether its weights are ternary."""

from __future__ import annotations

from spqc.targets._plan.constants import Constants
from spqc.targets._plan.geometry import Map, WeightedSum
from spqc.targets._tir.width import LANES

from ..dense.blocks import Block

WORD = 32  # inputs
_SUMS = 16  # in registers
_COMPARISONS = 640  # in straight code, as in `blocks`


def words_of(m: Map) -> int:
    """Return the words of one bit of all inputs of a step, pixel after pixel, channels padded to vectors."""
    return -(-m.pixels * m.padded // WORD)


def choose_bits_block(output: Map, steps: int, thresholds: int) -> Block:
    """Return the block that loads each weight for the most steps, then each input for the most outputs."""
    return max(bits_blocks(output, steps, thresholds), key=lambda block: (block.steps, block.tiles))


def bits_blocks(output: Map, steps: int, thresholds: int) -> list[Block]:
    """Return every block whose sums fit the registers."""
    most = max(1, min(_SUMS, _COMPARISONS // thresholds))
    tiles = output.padded // LANES
    return [
        Block(count, 1, window)
        for count in (1, 2, 4)
        for window in range(1, steps + 1)
        if tiles % count == 0 and steps % window == 0 and count * window <= most
    ]


def ternary_shift(conv: WeightedSum, constants: Constants) -> int | None:
    """Return k where every weight is 0, 2^k or -2^k; None elsewhere."""
    shift: int | None = constants.cached(("ternary shift", conv.weight.name), lambda: _shift(conv, constants))
    return shift


def _shift(conv: WeightedSum, constants: Constants) -> int | None:
    magnitude = abs(constants.graph.data[conv.weight.name])
    top = int(magnitude.max(initial=1))
    same = bool(((magnitude == 0) | (magnitude == top)).all())
    return top.bit_length() - 1 if same and top & (top - 1) == 0 else None
