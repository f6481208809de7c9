"""Bit-serial: ternary weights and inputs of few bits as AND and popcount of words (AVX-512 VPOPCNTDQ)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.geometry import Region, WeightedSum
from spqc.targets._plan.neurons import thresholds
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from ..dense.blocks import Block
from ..rows.planes import refused
from ..strategy import KernelStrategy
from .plan import bits_blocks, choose_bits_block, ternary_shift, words_of

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context

_FEATURES = frozenset({"avx2", "avx512f", "avx512bw", "avx512vl", "avx512vpopcntdq"})


class BitSum(KernelStrategy):
    """Settings: `tiles` and `steps` of the block that stays in registers."""

    name: ClassVar[str] = "bits"
    rates: ClassVar[Mapping[str, float]] = {
        "pairs": 0.26,
        "loads": 0.54,
        "neuron": 0.36,
        "staged": 0.0,
        "kernel": 33.0,
    }

    def refuses(self, site: Site) -> str:
        conv = site.sum
        if not site.machine.features >= _FEATURES:
            return "the CPU has no popcount of 512 bits"
        unfit = refused(site)
        if unfit:
            return unfit
        if not _whole(conv):
            return "its kernel is not the whole map, without groups"
        if conv.bits > 32:
            return "its sums are wider than 32 bits"
        return "" if ternary_shift(conv, site.constants) is not None else "its weights are not ternary"

    def space(self, site: Site) -> Iterator[Settings]:
        own = self._block(site, {})
        yield {}
        for block in bits_blocks(site.sum.output, site.steps, thresholds(site.region)):
            if block != own and 4 * block.accumulators >= own.accumulators:
                yield {"tiles": block.tiles, "steps": block.steps}

    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        """`pairs`: words times vectors of outputs, added and subtracted; `loads`: words of both planes of weights,
        times vectors of outputs; `neuron`: comparisons of vectors; `staged`: words of inputs packed."""
        conv, block = site.sum, self._block(site, settings)
        tiles = conv.output.padded // LANES
        words = words_of(conv.input) * _planes(conv)
        return {
            "pairs": float(tiles * words * site.steps),
            "loads": float(tiles * words * (site.steps // block.steps)),
            "neuron": float(tiles * site.program.steps * thresholds(site.region)),
            "staged": float(words * site.steps),
            "kernel": 1.0,
        }

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import Bits

        conv = region.sum
        shift = ternary_shift(conv, context.constants) if conv is not None else None
        if conv is None or shift is None:
            raise TypeError("a strategy that refuses is not asked")
        block = _block_of(region, conv, context.steps, settings)
        Bits(context, region, block, planes=_planes(conv), shift=shift).emit()

    def _block(self, site: Site, settings: Settings) -> Block:
        return _block_of(site.region, site.sum, site.steps, settings)


def _block_of(region: Region, conv: WeightedSum, steps: int, settings: Settings) -> Block:
    if settings:
        return Block(settings["tiles"], 1, settings["steps"])
    return choose_bits_block(conv.output, steps, thresholds(region))


def _planes(conv: WeightedSum) -> int:
    return max(1, conv.source.type.range[1].bit_length())


def _whole(conv: WeightedSum) -> bool:
    """Return whether a sum has the geometry of a linear layer."""
    covers = conv.kernel == (conv.input.rows, conv.input.width) and conv.output.pixels == 1
    return covers and conv.groups == 1 and conv.layers is None and not any(conv.margins)


STRATEGY = BitSum
