"""Bit slices: spikes of 512 or 256 outputs are the bits of a vector, and full adders count each weight's digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.adder_programs import FIRST, Programs
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.geometry import Region, WeightedSum
from spqc.targets._plan.strategy import Settings, Site

from ..rows.plan import comparisons
from ..rows.planes import PlaneStrategy, bits, planes_of, refused
from .slice_lanes import Phases, SliceLanes, channels_of_block, choose_slice_lanes

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context

_FEATURES = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "gfni"})
_WIDE = 512  # lanes of the widest vector
_MOST = 2**16  # words that a program can name
_FEWEST = 100  # outputs of a vector: below, nothing is gained and programs are long


class SliceSum(PlaneStrategy):
    """Weights of few digits on large maps, whatever the digits are."""

    name: ClassVar[str] = "slices"
    rates: ClassVar[Mapping[str, float]] = {
        "blocks": 1.75,
        "runs": 2.6,
        "converted": 43.0,
        "neuron": 0.1,
        "staged": 0.22,
        "kernel": 1300.0,
        "listed": 0.7,
        "raised": 0.8,
        "transposed": 1.3,
    }

    def refuses(self, site: Site) -> str:
        conv = site.sum
        if not site.machine.features >= _FEATURES:
            return "the CPU has no 512-bit vectors with byte permutes and bit matrices"
        unfit = refused(site)
        if unfit:
            return unfit
        if conv.layers is not None or conv.input.depth > 1 or conv.output.depth > 1:
            return "its map has depth"
        if conv.groups > 1 or conv.bits > 32:
            return "groups and sums above 32 bits are not counted"
        if not Phases(conv).known:
            return "its output is narrower than its input, but for the stride"
        lanes = choose_slice_lanes(conv, site.steps)
        if site.steps * conv.output.pixels < _FEWEST * lanes.chunks * lanes.vectors:
            return "its outputs fill too few lanes of a vector"
        made = _programs(site.constants, conv, site.steps, bits(conv))
        return "" if (FIRST + made.inputs + made.carries) * made.step <= _MOST else "its kernel is too large"

    def rows(self, site: Site) -> SliceLanes:
        return choose_slice_lanes(site.sum, site.steps)

    def whole(self, site: Site, planes: int) -> Mapping[str, float]:
        """`blocks`: of eight inputs, added; `runs`: of blocks, with their slices loaded and saved; `converted`:
        counters of 512 lanes brought into rows; `neuron`: comparisons of vectors; `staged`: pieces of bit vectors."""
        conv, n = site.sum, choose_slice_lanes(site.sum, site.steps)
        made = _programs(site.constants, conv, site.steps, planes)
        vectors, outputs = n.chunks * n.vectors, conv.output.padded
        wide = n.chunks * n.lanes / _WIDE
        pieces = conv.input.channels * made.planes * made.taps * n.chunks * site.steps * n.width // n.piece
        return {
            "blocks": float(vectors * made.blocks.sum()),
            "runs": float(vectors * (made.blocks > 0).sum()),
            "converted": wide * outputs * -(-made.levels // 16),
            "neuron": float(comparisons(site, n)),
            "staged": float(pieces),
            "kernel": 1.0,
        }

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import Slices

        conv = region.sum
        if conv is None:
            raise TypeError("bit slices begin with a sum")
        planes = planes_of(conv, settings)
        Slices.of(context, region, _programs(context.constants, conv, context.steps, planes), context.steps).emit()


def _programs(constants: Constants, conv: WeightedSum, steps: int, planes: int) -> Programs:
    lanes = choose_slice_lanes(conv, steps)
    return constants.programs(conv, channels_of_block(conv, lanes, planes), planes, lanes.words)


STRATEGY = SliceSum
